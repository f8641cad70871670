//! Changes that cannot work: they are named, harm nobody, and are taken back without a hand.

use std::time::Duration;

use kube::ResourceExt as _;
use serde_json::json;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

/// Within which a cause is named.
const NAMED: Duration = Duration::from_mins(1);
const WITHIN: Duration = Duration::from_mins(2);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    agent.load("db", 100, 100).await?;
    let (image, named_image) = image(&cluster).await?;
    let (config, named_config) = configuration(&cluster).await?;
    let report = agent.end_without_failure().await?;
    let (class, named_class) = class(site, space).await?;
    Ok(format!(
        "image after {named_image:.0?}: “{image}”; configuration after {named_config:.0?}: \
         “{config}”; storage class after {named_class:.0?}: “{class}”; {} writes meanwhile, \
         none failed",
        report.written,
    ))
}

type Named = (String, Duration);

async fn image(cluster: &Cluster) -> Result<Named, Failure> {
    let good = cluster.site.image("kvs");
    cluster.ask_for(json!({ "image": "localhost/no-such-image:1" })).await?;
    let named = cluster.says("Degraded", "True", "no-such-image", NAMED).await?;
    serves(cluster, 2).await?;
    old_pods_stay_old(cluster).await?;
    cluster.ask_for(json!({ "image": good })).await?;
    cluster.settles(3, WITHIN).await?;
    Ok(named)
}

async fn serves(cluster: &Cluster, least: usize) -> Result<(), Failure> {
    let pods = cluster.pods().await?;
    let up = pods.iter().filter(|pod| kubernetes::is_ready(pod)).count();
    expect(up >= least, || format!("only {up} pods serve while a change does not work"))
}

/// A pod that is restarted meanwhile comes back as it was.
async fn old_pods_stay_old(cluster: &Cluster) -> Result<(), Failure> {
    let pods = cluster.pods().await?;
    let old = pods.first().ok_or_else(|| Failure::new("there is no pod"))?;
    cluster.delete_pod(old).await?;
    until("the pod is back as it was", WITHIN, async || {
        let pods = cluster.pods().await?;
        let back = pods.iter().find(|pod| pod.name_any() == old.name_any());
        let back =
            back.filter(|pod| pod.metadata.uid != old.metadata.uid && kubernetes::is_ready(pod));
        Ok(back.map(drop))
    })
    .await?;
    Ok(())
}

/// What the schema lets through and a node would refuse.
async fn configuration(cluster: &Cluster) -> Result<Named, Failure> {
    cluster.ask_for(json!({ "config": { "revisions": 300 } })).await?;
    let named = cluster.says("Degraded", "True", "revisions", NAMED).await?;
    serves(cluster, 3).await?;
    cluster.ask_for(json!({ "config": { "revisions": null } })).await?;
    cluster.settles(3, WITHIN).await?;
    Ok(named)
}

async fn class(site: &Site, space: &str) -> Result<Named, Failure> {
    let cluster = Cluster::new(site, space, "nowhere");
    let storage = json!({ "size": "1Gi", "storageClassName": "no-such-class" });
    cluster.make(json!({ "storage": storage })).await?;
    cluster.says("Degraded", "True", "no-such-class", NAMED).await
}
