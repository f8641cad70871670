//! The Secret with the cluster file is lost: nothing is started, nothing is made in its place.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use tokio::time::sleep;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};

const NAME: &str = "db-identity";
/// Within which the loss is reported.
const REPORTED: Duration = Duration::from_mins(1);
/// How long nothing may happen.
const STILL: Duration = Duration::from_secs(20);
const WITHIN: Duration = Duration::from_mins(2);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, WITHIN).await?;
    agent.load("db", 100, 0).await?;
    sleep(Duration::from_secs(3)).await;
    let report = agent.end_without_failure().await?;
    let mut kept = cluster.of::<Secret>().get(NAME).await?;
    cluster.of::<Secret>().delete(NAME, &DeleteParams::default()).await?;
    let (said, reported) = cluster.says("StorageReady", "False", "IdentityLost", REPORTED).await?;
    for pod in cluster.pods().await? {
        cluster.delete_pod(&pod).await?;
    }
    sleep(STILL).await;
    nothing_starts(&cluster).await?;
    kept.metadata.resource_version = None;
    kept.metadata.uid = None;
    cluster.of::<Secret>().create(&PostParams::default(), &kept).await?;
    let back = cluster.settles(3, WITHIN).await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "reported after {reported:.0?}: “{said}”; all pods deleted, none started without it; {back:.0?} \
         after it was restored converged, {} writes before, {} keys on every node",
        report.written, found.keys,
    ))
}

async fn nothing_starts(cluster: &Cluster) -> Result<(), Failure> {
    let secret = cluster.of::<Secret>().get_opt(NAME).await?;
    expect(secret.is_none(), || "a cluster file was made in place of the lost one".into())?;
    let pods: Vec<Pod> = cluster.pods().await?;
    let up: Vec<String> =
        pods.iter().filter(|pod| kubernetes::is_ready(pod)).map(ResourceExt::name_any).collect();
    expect(up.is_empty(), || format!("{up:?} serve without their cluster file"))
}
