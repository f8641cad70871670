//! Reads what there is of a cluster, as the plan sees it.

mod absent;
pub mod pod;
mod restorer;
mod routed;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ListParams};
use kube::{Client, Error, ResourceExt as _};
use kvs_client::ClusterFile;
use kvs_core::UnixMillis;
use kvs_operator_core::build::{Blueprint, Live};
use kvs_operator_core::names::{CLUSTER_FILE, DECOMMISSIONED, NODE, Names, RESTORE, TEMPLATE};
use kvs_operator_core::observed::{ClaimSeen, Identity, Observed, Ordinal, Restore, SetSeen};
use kvs_operator_core::quantity;

use crate::nodes::Nodes;
use crate::site::{self, Site};

/// Making a disk may take this long.
const PROVISIONING: Duration = Duration::from_secs(20);

/// What there is, and what is needed to do something about it.
#[derive(Debug)]
pub struct Look {
    /// As the plan sees it.
    pub seen: Observed,
    /// Where the nodes are.
    pub addresses: BTreeMap<Ordinal, IpAddr>,
    /// To speak to them, if the cluster file can be used.
    pub nodes: Option<Nodes>,
    /// The `StatefulSet` as it is there.
    pub set: Option<StatefulSet>,
    /// The pods as they are there.
    pub pods: Vec<Pod>,
    /// What the Secret with the cluster file is, without what is in it.
    pub identity: Option<ObjectMeta>,
}

/// Looks at a cluster, past every cache.
///
/// # Errors
///
/// The API server cannot be asked. A node that does not answer is none.
pub async fn look(site: &Site, plan: &Blueprint<'_>) -> Result<Look, Error> {
    let secrets: Api<Secret> = Api::namespaced(site.client.clone(), &plan.names.namespace);
    let secret = secrets.get_opt(&plan.identity_name()).await?;
    let (identity, nodes) = identity(site, plan, secret.as_ref());
    let (mut seen, set, pods) = objects(&site.client, &plan.names).await?;
    seen.identity = identity;
    absent::name(&site.client, plan, &mut seen).await?;
    let addresses: BTreeMap<Ordinal, IpAddr> = pods
        .iter()
        .filter_map(|pod| Some((plan.names.ordinal(&pod.name_any())?, pod::address(pod)?)))
        .collect();
    if let Some(nodes) = &nodes {
        seen.members = nodes.look(&plan.names, &addresses).await;
        seen.routed = routed::find(&site.client, &plan.names, &seen.members).await;
    }
    seen.now = site::now();
    let identity = secret.map(|secret| secret.metadata);
    Ok(Look { seen, addresses, nodes, set, pods, identity })
}

/// What Kubernetes knows of a cluster, beside its Secret.
///
/// # Errors
///
/// The API server cannot be asked.
pub async fn objects(
    client: &Client,
    names: &Names,
) -> Result<(Observed, Option<StatefulSet>, Vec<Pod>), Error> {
    let space = names.namespace.as_str();
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), space);
    let set = sets.get_opt(&names.cluster).await?;
    let ours = ListParams::default().labels(&names.selector_text());
    let pods = Api::<Pod>::namespaced(client.clone(), space).list(&ours).await?.items;
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), space);
    let claims = claims.list(&ours).await?.items;
    let by_ordinal = pods
        .iter()
        .filter_map(|pod| Some((names.ordinal(&pod.name_any())?, pod::seen(pod, names))));
    let claims: BTreeMap<Ordinal, ClaimSeen> = claims
        .iter()
        .filter_map(|claim| Some((names.claim_ordinal(&claim.name_any())?, seen_claim(claim))))
        .collect();
    let begins = claims.get(&0).is_some_and(|claim| claim.restore.is_some());
    let restorer = if begins { restorer::find(client, names).await? } else { None };
    let seen = Observed {
        now: site::now(),
        set: set.as_ref().map(seen_set),
        pods: by_ordinal.collect(),
        claims,
        restorer,
        held: held(client, names).await?,
        ..Observed::default()
    };
    Ok((seen, set, pods))
}

/// Who is told to open nothing when it starts.
async fn held(client: &Client, names: &Names) -> Result<BTreeSet<Ordinal>, Error> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &names.namespace);
    let map = maps.get_opt(&names.live()).await?;
    let map = map.and_then(|map| serde_json::to_value(map).ok()).unwrap_or_default();
    Ok(Live::read(&map, names).held)
}

fn identity(
    site: &Site,
    plan: &Blueprint<'_>,
    secret: Option<&Secret>,
) -> (Identity, Option<Nodes>) {
    let Some(secret) = secret else { return (absent(plan), None) };
    let bytes = secret.data.as_ref().and_then(|data| data.get(CLUSTER_FILE));
    let Some(bytes) = bytes else {
        return (Identity::Unusable(format!("it has no key {CLUSTER_FILE}")), None);
    };
    let file = ClusterFile::parse(&String::from_utf8_lossy(&bytes.0));
    let file = match file {
        Ok(file) => file,
        Err(error) => return (Identity::Unusable(error.to_string()), None),
    };
    match Nodes::new(&file, &site.name, &site.fence) {
        Ok(nodes) => (Identity::Present, Some(nodes)),
        Err(error) => (Identity::Unusable(error.to_string()), None),
    }
}

/// What people said they bring is not made for them.
fn absent(plan: &Blueprint<'_>) -> Identity {
    match &plan.cluster.spec.identity_secret {
        None => Identity::Absent,
        Some(name) => Identity::Unusable(format!(
            "spec.identitySecret names {name}, and there is no such Secret; `kvs cluster new` makes a \
             cluster file, which it must have under the key {CLUSTER_FILE}"
        )),
    }
}

fn seen_set(set: &StatefulSet) -> SetSeen {
    let spec = set.spec.as_ref();
    let status = set.status.as_ref();
    let strategy = spec.and_then(|spec| spec.update_strategy.as_ref());
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let on_delete = strategy.is_some_and(|one| one.type_.as_deref() == Some("OnDelete"));
    let partition = rolling.and_then(|rolling| rolling.partition).unwrap_or_default();
    let claims = spec.and_then(|spec| spec.volume_claim_templates.as_ref());
    let update = status.and_then(|status| status.update_revision.clone()).unwrap_or_default();
    let generation = status.and_then(|status| status.observed_generation);
    SetSeen {
        uid: set.uid().unwrap_or_default(),
        resource_version: set.resource_version().unwrap_or_default(),
        replicas: count(spec.and_then(|spec| spec.replicas).unwrap_or(1)),
        partition: (!on_delete).then(|| count(partition)),
        template: set.annotations().get(TEMPLATE).cloned().unwrap_or_default(),
        size: claims.and_then(|claims| requested(claims.first()?)).unwrap_or_default(),
        current: status.and_then(|status| status.current_revision.clone()).unwrap_or_default(),
        observed: generation == set.metadata.generation && !update.is_empty(),
        update,
        deleting: set.metadata.deletion_timestamp.is_some(),
    }
}

fn seen_claim(claim: &PersistentVolumeClaim) -> ClaimSeen {
    let annotation = |name: &str| claim.annotations().get(name);
    ClaimSeen {
        uid: claim.uid().unwrap_or_default(),
        resource_version: claim.resource_version().unwrap_or_default(),
        requested: requested(claim).unwrap_or_default(),
        node: annotation(NODE).and_then(|node| node.parse().ok()),
        decommissioned: annotation(DECOMMISSIONED).is_some(),
        deleting: claim.metadata.deletion_timestamp.is_some(),
        restore: annotation(RESTORE).map(|text| Restore::read(text)),
        trouble: waiting(claim),
    }
}

/// Why there is no disk. Kubernetes says it in events alone, so what can be known of it is said here.
fn waiting(claim: &PersistentVolumeClaim) -> Option<String> {
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    let since = claim.creation_timestamp()?.0.as_millisecond();
    let since = UnixMillis(u64::try_from(since).unwrap_or_default());
    if phase != Some("Pending") || site::now() < since.after(PROVISIONING) {
        return None;
    }
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    Some(match class {
        Some(class) => format!(
            "storage class {class} has made none: is there such a class, and room? See `kubectl describe \
             pvc {}`",
            claim.name_any()
        ),
        None => "no storage class is asked for, and the cluster has no default one: name one in \
                 spec.storage.storageClassName of a new cluster"
            .to_owned(),
    })
}

fn requested(claim: &PersistentVolumeClaim) -> Option<u64> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    quantity::bytes(&resources.requests.as_ref()?.get("storage")?.0)
}

fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}
