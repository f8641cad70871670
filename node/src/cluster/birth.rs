//! Where a node's cluster file comes from.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kvs_client::ClusterFile;
use kvs_config::{Seed, Settings};
use tokio::net::lookup_host;

use super::ClusterError;
use crate::config;
use crate::local::{self, Identity};
use crate::node::Node;
use crate::peer::{PeerClient, PeerFigures, PeerLimits, PeerRoute};
use crate::store::Store;

/// How often seeds are asked for the file.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// The file in the data directory with the secrets of a node that stands alone.
const OWN_SECRETS: &str = "accounts.kvs";

/// The secret that a node shares with others.
#[derive(Debug)]
pub(super) enum Secret {
    /// It is here.
    Known(ClusterFile),
    /// A seed on this machine has it.
    FromSeed,
}

/// Finds the cluster file, or makes one for a node that is told of no others; nothing where the node
/// is to stand alone.
pub(super) fn secret(
    settings: &Settings,
    store: &dyn Store,
    identity: &Identity,
    seeds: &[Seed],
) -> Result<Option<Secret>, ClusterError> {
    let path = config::cluster_file(settings);
    if path.exists() || settings.cluster_file.is_some() {
        let file = ClusterFile::load(&path)?;
        return match identity.cluster.filter(|found| *found != file.cluster()) {
            None => Ok(Some(Secret::Known(file))),
            Some(found) => {
                let (data_dir, wanted) = (settings.data_dir.clone(), file.cluster());
                Err(ClusterError::OtherCluster { data_dir, found, path, wanted })
            }
        };
    }
    match (settings.bind_address.is_loopback(), seeds.is_empty()) {
        (true, true) if let Some(found) = identity.cluster => {
            Err(ClusterError::FileGone { data_dir: settings.data_dir.clone(), found, path })
        }
        (true, true) => {
            let file = ClusterFile::new(rand::random(), rand::random(), rand::random());
            file.save_new(&path)?;
            local::cluster::note_made_file(store)?;
            Ok(Some(Secret::Known(file)))
        }
        (true, false) => Ok(Some(Secret::FromSeed)),
        (false, true) => {
            tracing::warn!(
                "this node stands alone: to let others join it, make a cluster file with `kvs \
                 cluster new --out {}` and start it again",
                path.display()
            );
            Ok(None)
        }
        (false, false) => Err(ClusterError::NoFile { seeds: settings.seed_nodes.join(", "), path }),
    }
}

/// The secrets of a node that stands alone and asks who calls: a cluster file like any other, made
/// where there is none. With that of a cluster that it is given later, it belongs to that one.
///
/// # Errors
///
/// The file cannot be read or made.
pub fn of_its_own(settings: &Settings) -> Result<ClusterFile, ClusterError> {
    let known = config::cluster_file(settings);
    if known.exists() {
        return Ok(ClusterFile::load(&known)?);
    }
    let path = settings.data_dir.join(OWN_SECRETS);
    if path.exists() {
        return Ok(ClusterFile::load(&path)?);
    }
    let file = ClusterFile::new(rand::random(), rand::random(), rand::random());
    file.save_new(&path)?;
    Ok(file)
}

/// Asks the seeds for the cluster file until one on this machine gives it; nothing if the node stops
/// before.
pub(super) async fn from_seed(node: &Arc<Node>, seeds: &[Seed]) -> Option<ClusterFile> {
    tracing::info!("no cluster file: waiting for a seed on this machine to hand over its own");
    let (tasks, stopping) = (node.tasks().clone(), node.stopping().clone());
    let figures = Arc::new(PeerFigures::default());
    let client = PeerClient::stranger(figures, PeerLimits::default(), tasks, stopping.clone());
    let client = client.inspect_err(|error| tracing::error!(%error, "cannot ask seeds")).ok()?;
    let mut ticks = tokio::time::interval(ASK_EVERY);
    let mut said = None;
    loop {
        stopping.run_until_cancelled(ticks.tick()).await?;
        for seed in seeds {
            match stopping.run_until_cancelled(Box::pin(ask(&client, seed))).await? {
                Ok(file) => return keep(node, file),
                // Said once each: a seed that is not there yet is normal.
                Err(why) if said.as_ref() != Some(&why) => {
                    tracing::info!(seed = seed.host(), why, "no cluster file from there yet");
                    said = Some(why);
                }
                Err(_same) => {}
            }
        }
    }
}

async fn ask(client: &PeerClient, seed: &Seed) -> Result<ClusterFile, String> {
    let found = lookup_host((seed.host(), seed.port())).await.map_err(|error| error.to_string())?;
    let mut why = "it has no address".to_owned();
    for address in found.filter(|address: &SocketAddr| address.ip().is_loopback()) {
        let asking = async {
            let link = client.connect(address, None).await?;
            link.ask(PeerRoute::Birth, Bytes::new()).await
        };
        match asking.await {
            Ok(text) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                return ClusterFile::parse(&text).map_err(|error| error.to_string());
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

fn keep(node: &Node, file: ClusterFile) -> Option<ClusterFile> {
    let path = config::cluster_file(node.settings());
    let kept = file.save_new(&path).map_err(|error| error.to_string()).and_then(|()| {
        local::cluster::note_made_file(&*node.shared_store()).map_err(|error| error.to_string())
    });
    match kept {
        Ok(()) => Some(file),
        Err(error) => {
            tracing::error!(error, "the cluster file cannot be kept");
            None
        }
    }
}
