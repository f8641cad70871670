//! A node is held down and let go, and settings change that pods take over: no pod is restarted for it but
//! the one that is held down.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::LogParams;
use serde_json::json;

use super::{Outcome, rotation};
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

const WITHIN: Duration = Duration::from_mins(2);
/// The node that is held down.
const HELD: &str = "db-1";
/// What it says then.
const SAYS: &str = "held down: `fenced` names this node";

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, WITHIN).await?;
    agent.load("db", 200, 200).await?;
    let settings = reload(&cluster).await?;
    let before = others(&cluster).await?;
    cluster.ask_for(json!({ "fenced": [1] })).await?;
    let (_, held) = cluster.says("Degraded", "True", "Fenced", WITHIN).await?;
    until("it is held down", WITHIN, async || {
        Ok(log(&cluster).await?.contains(SAYS).then_some(()))
    })
    .await?;
    expect(!is_ready(&cluster).await?, || "the node that is held down serves".into())?;
    cluster.ask_for(json!({ "fenced": [] })).await?;
    rotation::look(&cluster).await?;
    let back = cluster.settles(3, WITHIN).await?;
    expect(others(&cluster).await? == before, || "others were restarted for it".into())?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "a setting taken over by all after {settings:.1?}, no pod restarted; a node held down after {held:.0?}, \
         converged {back:.0?} after it was let go; {} writes and {} reads, none failed; {} keys on every node",
        report.written, report.read, found.keys,
    ))
}

/// A setting that nodes take over: how long until all have, and whether they are the same pods.
async fn reload(cluster: &Cluster) -> Result<Duration, Failure> {
    const TAKEN: &str = "the configuration was read again";
    let (before, seen) = (rotation::uids(cluster).await?, rotation::said(cluster, TAKEN).await?);
    cluster.ask_for(json!({ "config": { "log_level": "debug" } })).await?;
    let map = cluster.of::<k8s_openapi::api::core::v1::ConfigMap>();
    let ((), took) = until("the operator writes it", WITHIN, async || {
        let data = map.get("db-live").await?.data.unwrap_or_default();
        Ok(data.values().any(|text| text.contains("debug")).then_some(()))
    })
    .await?;
    rotation::heard(cluster, TAKEN, &seen).await?;
    expect(rotation::uids(cluster).await? == before, || "pods were restarted for it".into())?;
    Ok(took)
}

/// The pods beside it.
async fn others(cluster: &Cluster) -> Result<Vec<Option<String>>, Failure> {
    let pods = cluster.pods().await?.into_iter().filter(|pod| pod.name_any() != HELD);
    Ok(pods.map(|pod| pod.metadata.uid).collect())
}

async fn log(cluster: &Cluster) -> Result<String, Failure> {
    Ok(cluster.of::<Pod>().logs(HELD, &LogParams::default()).await.unwrap_or_default())
}

async fn is_ready(cluster: &Cluster) -> Result<bool, Failure> {
    let pods = cluster.pods().await?;
    Ok(pods.iter().any(|pod| pod.name_any() == HELD && kubernetes::is_ready(pod)))
}
