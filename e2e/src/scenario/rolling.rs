//! Changes of image and configuration, under load and in a drain.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DynamicObject, ListParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Outcome, drain};
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
    let config = change_in_drain(&cluster, json!({ "config": { "revisions": 5 } })).await?;
    let report = agent.end_without_failure().await?;
    let steps = restarts(&cluster).await?;
    // The pod of the drained machine may come back with what it would have been restarted for.
    expect(steps >= 5, || format!("events tell of {steps} restarts, not of 5"))?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "image in {image:.0?}, configuration in {config:.0?} with a machine drained meanwhile; {} writes \
         and {} reads, none failed, the longest {} ms; {} keys on every node; never two down",
        report.written, report.read, report.longest, found.keys,
    ))
}

/// Makes a change and watches that it restarts every pod, and never two at once.
async fn change(cluster: &Cluster, spec: Value) -> Result<Duration, Failure> {
    let (before, began) = (cluster.uids().await?, Instant::now());
    cluster.ask_for(spec).await?;
    never_two_down(cluster, 3, replaced(cluster, &before)).await?;
    Ok(began.elapsed())
}

/// The same, while the machine of the pod whose turn is last is emptied.
async fn change_in_drain(cluster: &Cluster, spec: Value) -> Result<Duration, Failure> {
    let (before, began) = (cluster.uids().await?, Instant::now());
    let last = cluster.of::<Pod>().get("db-0").await?;
    let machine = drain::machine_of(&last).unwrap_or_default();
    cluster.ask_for(spec).await?;
    let draining = async {
        cluster.says("Progressing", "True", "Rollout", WITHIN).await?;
        drain::cordon(&cluster.site, &machine, true).await?;
        drain::emptied(cluster, &last, &machine).await?;
        drain::cordon(&cluster.site, &machine, false).await
    };
    let both = async { tokio::try_join!(replaced(cluster, &before), draining).map(drop) };
    let done = never_two_down(cluster, 3, Box::pin(both)).await;
    // Whatever happened, others want the machine.
    drain::cordon(&cluster.site, &machine, false).await?;
    done?;
    Ok(began.elapsed())
}

/// Fails as soon as two of these pods do not serve, while something is done.
pub(super) async fn never_two_down<T>(
    cluster: &Cluster,
    pods: usize,
    doing: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let watching = async {
        loop {
            let all = cluster.pods().await?;
            let up = all.iter().filter(|pod| kubernetes::is_ready(pod)).count();
            expect(up + 1 >= pods, || format!("only {up} of {pods} pods serve"))?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        fault = watching => fault,
        done = doing => done,
    }
}

/// Waits until every pod is another one, and all is well.
pub(super) async fn replaced(cluster: &Cluster, before: &[String]) -> Result<(), Failure> {
    crate::wait::until("every pod is another one", WITHIN, async || {
        let now = cluster.uids().await?;
        let old = now.iter().filter(|uid| before.contains(*uid)).count();
        expect(old == 0 && now.len() == before.len(), || format!("{old} pods are the old ones"))?;
        Ok(Some(()))
    })
    .await?;
    let replicas = i32::try_from(before.len())?;
    cluster.settles(replicas, WITHIN).await.map(drop)
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
