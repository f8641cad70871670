//! The cluster that another object names.

use kube::{Api, Error};
use kvs_operator_core::build::Blueprint;
use kvs_operator_core::crd::KvsCluster;
use kvs_operator_core::names::Names;
use kvs_operator_core::observed::Ordinal;

use crate::nodes;
use crate::observe::{self, Look};
use crate::site::Site;

/// A cluster that is there.
#[derive(Debug)]
pub struct Reached {
    /// What is asked for.
    pub cluster: KvsCluster,
    /// Its names.
    pub names: Names,
    /// What there is.
    pub look: Look,
}

impl Reached {
    /// The pods that it has or is to have.
    pub fn replicas(&self) -> u32 {
        self.look.seen.set.as_ref().map_or(0, |set| set.replicas)
    }

    /// The API of the node at this ordinal, if it answers.
    pub fn api(&self, ordinal: Ordinal) -> Option<nodes::Api<'_>> {
        let member = self.look.seen.members.get(&ordinal)?;
        let address = self.look.addresses.get(&ordinal)?;
        Some(self.look.nodes.as_ref()?.api(*address, member.node))
    }
}

/// Looks at a cluster by its name; nothing if there is none.
///
/// # Errors
///
/// The API server cannot be asked.
pub async fn reach(site: &Site, space: &str, name: &str) -> Result<Option<Reached>, Error> {
    let clusters: Api<KvsCluster> = Api::namespaced(site.client.clone(), space);
    let Some(cluster) = clusters.get_opt(name).await? else { return Ok(None) };
    let (look, names) = {
        let build = site.build();
        let blueprint = Blueprint::new(&cluster, &build);
        (observe::look(site, &blueprint).await?, blueprint.names)
    };
    Ok(Some(Reached { cluster, names, look }))
}
