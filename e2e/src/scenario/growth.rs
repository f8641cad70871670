//! Larger disks. Nobody resizes `local` volumes: the scenario plays the part of a storage driver.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use kvs_operator_core::quantity;
use serde_json::json;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

const BEFORE: &str = "1Gi";
const AFTER: &str = "2Gi";
const WITHIN: Duration = Duration::from_mins(2);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({ "storage": { "size": BEFORE } })).await?;
    cluster.settles(3, WITHIN).await?;
    agent.load("db", 100, 100).await?;
    let pods = cluster.uids().await?;
    cluster.ask_for(json!({ "storage": { "size": AFTER } })).await?;
    let asked = asks_for(&cluster, AFTER).await?;
    grown(site, &cluster, AFTER).await?;
    let settled = cluster.settles(3, WITHIN).await?;
    expect(cluster.uids().await? == pods, || "pods were restarted for it".into())?;
    cluster.ask_for(json!({ "replicas": 4 })).await?;
    cluster.settles(4, WITHIN).await?;
    let claims = cluster.claims().await?;
    let fourth = claims.iter().find(|claim| claim.name_any() == "data-db-3").and_then(requested);
    expect(fourth == quantity::bytes(AFTER), || format!("a new disk has {fourth:?} bytes"))?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "{BEFORE} to {AFTER}: claims asked for it after {asked:.1?}, settled in {settled:.0?}, no pod \
         restarted, a fourth disk has it from the start; the resizer was played; {} writes, none \
         failed, {} keys on every node",
        report.written, found.keys,
    ))
}

/// Waits until all three claims ask for this size; says how long that took.
pub(super) async fn asks_for(cluster: &Cluster, size: &str) -> Result<Duration, Failure> {
    let ((), asked) = until("every claim asks for more", WITHIN, async || {
        let claims = cluster.claims().await?;
        let small = claims.iter().filter(|claim| requested(claim) != quantity::bytes(size));
        let small = small.count();
        expect(small == 0 && claims.len() == 3, || format!("{small} do not"))?;
        Ok(Some(()))
    })
    .await?;
    Ok(asked)
}

fn requested(claim: &PersistentVolumeClaim) -> Option<u64> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    quantity::bytes(&requests.get("storage")?.0)
}

/// The names of a cluster's volumes.
pub(super) async fn volumes(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let claims = cluster.claims().await?.into_iter();
    Ok(claims.filter_map(|claim| claim.spec?.volume_name).collect())
}

/// What a storage driver does with claims that ask for more.
pub(super) async fn grown(site: &Site, cluster: &Cluster, size: &str) -> Result<(), Failure> {
    let persistent: Api<PersistentVolume> = Api::all(site.client.clone());
    let (params, capacity) = (PatchParams::default(), json!({ "capacity": { "storage": size } }));
    let (spec, status) = (json!({ "spec": capacity }), json!({ "status": capacity }));
    for volume in volumes(cluster).await? {
        persistent.patch(&volume, &params, &Patch::Merge(&spec)).await?;
    }
    let claims = cluster.of::<PersistentVolumeClaim>();
    for claim in cluster.claims().await? {
        claims.patch_status(&claim.name_any(), &params, &Patch::Merge(&status)).await?;
    }
    Ok(())
}
