//! A node is held down and let go, and settings change that pods take over: no pod is restarted for it but
//! the one that is held down. Another one that is named beside it serves, also when it starts anew, and a
//! wrong setting keeps nobody from being let go.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
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
/// The one that is named beside it.
const NAMED: &str = "db-2";
/// And the one that is not.
const FREE: &str = "db-0";

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, WITHIN).await?;
    agent.load("db", 200, 200).await?;
    let settings = reload(&cluster).await?;
    let before = uid(&cluster, FREE).await?;
    cluster.ask_for(json!({ "fenced": [1, 2] })).await?;
    let (_, held) = cluster.says("Degraded", "True", "Fenced", WITHIN).await?;
    until("it is held down", WITHIN, async || {
        Ok(log(&cluster).await?.contains(SAYS).then_some(()))
    })
    .await?;
    start_anew(&cluster, NAMED).await?;
    expect(!is_ready(&cluster, HELD).await?, || "the node that is held down serves".into())?;
    let wrong = json!({ "log_level": "debug", "revisions": 300 });
    cluster.ask_for(json!({ "fenced": [], "config": wrong })).await?;
    cluster.says("Degraded", "True", "ConfigurationRefused", WITHIN).await?;
    rotation::look(&cluster).await?;
    let ((), freed) =
        until("it is let go", WITHIN, async || Ok(is_ready(&cluster, HELD).await?.then_some(())))
            .await?;
    cluster.ask_for(json!({ "config": { "log_level": "debug", "revisions": null } })).await?;
    let back = cluster.settles(3, WITHIN).await?;
    expect(uid(&cluster, FREE).await? == before, || "another one was restarted for it".into())?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "a setting taken over by all after {settings:.1?}, no pod restarted; a node held down after {held:.0?}, \
         another that was named started anew and served, let go after {freed:.0?} beside a wrong setting, \
         converged {back:.0?} after that; {} writes and {} reads, none failed; {} keys on every node",
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

async fn pod(cluster: &Cluster, name: &str) -> Result<Option<Pod>, Failure> {
    Ok(cluster.of::<Pod>().get_opt(name).await?)
}

async fn uid(cluster: &Cluster, name: &str) -> Result<Option<String>, Failure> {
    Ok(pod(cluster, name).await?.and_then(|pod| pod.metadata.uid))
}

/// Has a pod go and waits until another one of its name serves.
async fn start_anew(cluster: &Cluster, name: &str) -> Result<(), Failure> {
    let Some(old) = pod(cluster, name).await? else {
        return Err(Failure::new(format!("{name} is not there")));
    };
    cluster.delete_pod(&old).await?;
    let ((), _) = until("it serves although it is named", WITHIN, async || {
        let new = uid(cluster, name).await? != old.metadata.uid;
        Ok((new && is_ready(cluster, name).await?).then_some(()))
    })
    .await?;
    Ok(())
}

async fn log(cluster: &Cluster) -> Result<String, Failure> {
    Ok(cluster.of::<Pod>().logs(HELD, &LogParams::default()).await.unwrap_or_default())
}

async fn is_ready(cluster: &Cluster, name: &str) -> Result<bool, Failure> {
    Ok(pod(cluster, name).await?.is_some_and(|pod| kubernetes::is_ready(&pod)))
}
