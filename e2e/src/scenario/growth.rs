//! Larger disks. Nobody resizes `local` volumes: the scenario plays the part of a storage driver.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
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
    let ((), asked) = until("every claim asks for more", WITHIN, async || {
        let claims = cluster.claims().await?;
        let small = claims.iter().filter(|claim| requested(claim).as_deref() != Some(AFTER));
        let small = small.count();
        expect(small == 0 && claims.len() == 3, || format!("{small} do not"))?;
        Ok(Some(()))
    })
    .await?;
    resize(site, &cluster).await?;
    let settled = cluster.settles(3, WITHIN).await?;
    expect(cluster.uids().await? == pods, || "pods were restarted for it".into())?;
    cluster.ask_for(json!({ "replicas": 4 })).await?;
    cluster.settles(4, WITHIN).await?;
    let claims = cluster.claims().await?;
    let fourth = claims.iter().find(|claim| claim.name_any() == "data-db-3").and_then(requested);
    expect(fourth.as_deref() == Some(AFTER), || format!("a new disk has {fourth:?}"))?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "{BEFORE} to {AFTER}: claims asked for it after {asked:.1?}, settled in {settled:.0?}, no pod \
         restarted, a fourth disk has it from the start; the resizer was played; {} writes, none \
         failed, {} keys on every node",
        report.written, found.keys,
    ))
}

fn requested(claim: &PersistentVolumeClaim) -> Option<String> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    let bytes = kvs_operator_core::quantity::bytes(&requests.get("storage")?.0)?;
    [BEFORE, AFTER]
        .into_iter()
        .find(|size| kvs_operator_core::quantity::bytes(size) == Some(bytes))
        .map(str::to_owned)
}

/// What a storage driver does with claims that ask for more.
async fn resize(site: &Site, cluster: &Cluster) -> Result<(), Failure> {
    let volumes: Api<PersistentVolume> = Api::all(site.client.clone());
    let params = PatchParams::default();
    for claim in cluster.claims().await? {
        let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.clone());
        let spec = json!({ "spec": { "capacity": { "storage": AFTER } } });
        volumes.patch(&volume.unwrap_or_default(), &params, &Patch::Merge(spec)).await?;
        let status = json!({ "status": { "capacity": { "storage": AFTER } } });
        let claims = cluster.of::<PersistentVolumeClaim>();
        claims.patch_status(&claim.name_any(), &params, &Patch::Merge(status)).await?;
    }
    Ok(())
}
