//! Changes of image and configuration, under load.

use std::time::Duration;

use kube::api::{DynamicObject, ListParams};
use serde_json::json;
use tokio::time::Instant;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};

/// How long one change of three pods may take.
const WITHIN: Duration = Duration::from_mins(3);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    agent.load("db", 500, 500).await?;
    let image = change(&cluster, json!({ "image": site.next_image() })).await?;
    let config = change(&cluster, json!({ "config": { "revisions": 5 } })).await?;
    let report = agent.end_without_failure().await?;
    let steps = restarts(&cluster).await?;
    expect(steps >= 6, || format!("events tell of {steps} restarts, not of 6"))?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "image in {image:.0?}, configuration in {config:.0?}; {} writes and {} reads, none failed, \
         the longest {} ms; {} keys on every node; never two down",
        report.written, report.read, report.longest, found.keys,
    ))
}

/// Makes a change and watches that it restarts every pod, and never two at once.
async fn change(cluster: &Cluster, spec: serde_json::Value) -> Result<Duration, Failure> {
    let before = uids(cluster).await?;
    let began = Instant::now();
    cluster.ask_for(spec).await?;
    let watching = async {
        loop {
            let pods = cluster.pods().await?;
            let up = pods.iter().filter(|pod| kubernetes::is_ready(pod)).count();
            expect(up >= 2, || format!("only {up} of 3 pods serve"))?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let settling = async {
        crate::wait::until("every pod is another one", WITHIN, async || {
            let now = uids(cluster).await?;
            let old = now.iter().filter(|uid| before.contains(*uid)).count();
            expect(old == 0 && now.len() == 3, || format!("{old} pods are the old ones"))?;
            Ok(Some(()))
        })
        .await?;
        cluster.settles(3, WITHIN).await
    };
    let watched: Result<Duration, Failure> = tokio::select! {
        fault = watching => fault,
        settled = settling => settled,
    };
    watched?;
    Ok(began.elapsed())
}

/// Restarts that events tell of: each is planned only once all others have agreed.
async fn restarts(cluster: &Cluster) -> Result<u64, Failure> {
    let api = kubernetes::api(&cluster.site.client, &cluster.space, "events.k8s.io/v1", "Event");
    let events = api.list(&ListParams::default()).await?.items;
    let tells = |event: &DynamicObject| {
        event.data["note"].as_str().is_some_and(|note| note.starts_with("restart pod"))
    };
    // The same news within some minutes is one event, which counts.
    let times = |event: &DynamicObject| event.data["series"]["count"].as_u64().unwrap_or(1);
    Ok(events.iter().filter(|event| tells(event)).map(times).sum())
}

async fn uids(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    Ok(cluster.pods().await?.into_iter().filter_map(|pod| pod.metadata.uid).collect())
}
