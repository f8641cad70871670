//! A paused operator says how things are, and touches nothing.

use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use kube::api::DeleteParams;
use kvs_operator_core::crd::KvsClusterStatus;
use serde_json::json;

use super::{Outcome, rotation};
use crate::failure::{Failure, expect};
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

const WITHIN: Duration = Duration::from_mins(2);
/// The child that is deleted.
const CHILD: &str = "db-peers";

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, WITHIN).await?;
    agent.load("db", 200, 200).await?;
    cluster.ask_for(json!({ "mode": "Paused" })).await?;
    cluster.says("Paused", "True", "spec.mode", WITHIN).await?;
    let (pods, services) = (rotation::uids(&cluster).await?, cluster.of::<Service>());
    services.delete(CHILD, &DeleteParams::default()).await?;
    cluster.ask_for(json!({ "replicas": 4, "config": { "revisions": 5 } })).await?;
    looked(&cluster).await?;
    site.end_leader(None).await?;
    cluster.ask_for(json!({ "config": { "revisions": 6 } })).await?;
    let told = looked(&cluster).await?;
    let same = rotation::uids(&cluster).await? == pods;
    expect(same && services.get_opt(CHILD).await?.is_none(), || {
        format!("pods are {}the same, or {CHILD} is back", if same { "" } else { "not " })
    })?;
    expect((told.replicas, told.ready_replicas) == (3, 3), || {
        format!("{} of {} are told of", told.ready_replicas, told.replicas)
    })?;
    cluster.ask_for(json!({ "mode": "Running" })).await?;
    let done = cluster.settles(4, WITHIN).await?;
    let back = services.get_opt(CHILD).await?.is_some();
    expect(back, || format!("{CHILD} is not back"))?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "paused: nothing of what was asked for was done, by two operators, and both told how it was; all of it \
         done within {done:.0?} of the end of that; {} writes and {} reads, none failed; {} keys on every node",
        report.written, report.read, found.keys,
    ))
}

/// Waits until an operator has looked at it as it is now; what it said.
async fn looked(cluster: &Cluster) -> Result<KvsClusterStatus, Failure> {
    let (status, _) = until("it is looked at as it is now", WITHIN, async || {
        let now = cluster.get().await?;
        let status = now.status.unwrap_or_default();
        Ok((status.observed_generation == now.metadata.generation).then_some(status))
    })
    .await?;
    Ok(status)
}
