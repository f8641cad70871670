//! More nodes, fewer nodes, none for a while: under writes.

use std::cell::Cell;
use std::time::Duration;

use kube::ResourceExt as _;
use kvs_operator_core::names::DECOMMISSIONED;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

/// Operators that are killed take their time.
const WITHIN: Duration = Duration::from_mins(8);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({ "storage": { "retain": "DeleteOnScaleDown" } })).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    agent.load("db", 200, 200).await?;
    let more = to(&cluster, 5).await?;
    let fewer = to(&cluster, 3).await?;
    let claims = claims_are(&cluster, 3).await?;
    let changed = change_of_mind(&cluster).await?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "3→5 in {more:.0?}, 5→3 in {fewer:.0?}, two claims deleted {claims:.0?} later, 3→2→3 \
         twice mid-way in {changed:.0?}; {} writes, none failed; {} keys on every node",
        report.written, found.keys,
    ))
}

async fn to(cluster: &Cluster, replicas: i32) -> Result<Duration, Failure> {
    cluster.ask_for(json!({ "replicas": replicas })).await?;
    cluster.settles(replicas, WITHIN).await
}

async fn claims_are(cluster: &Cluster, count: usize) -> Result<Duration, Failure> {
    let ((), took) = until("claims of nodes that left are gone", WITHIN, async || {
        let claims = cluster.claims().await?.len();
        expect(claims == count, || format!("there are {claims} claims"))?;
        Ok(Some(()))
    })
    .await?;
    Ok(took)
}

/// To two, and back to three: once the third is drained, and once it has left.
async fn change_of_mind(cluster: &Cluster) -> Result<Duration, Failure> {
    let began = Instant::now();
    cluster.ask_for(json!({ "replicas": 2 })).await?;
    until("the third is drained", WITHIN, async || {
        let pods = cluster.pods().await?;
        let third = pods.iter().find(|pod| pod.name_any() == "db-2");
        Ok(third.filter(|pod| !kubernetes::is_ready(pod)).map(drop))
    })
    .await?;
    to(cluster, 3).await?;
    cluster.ask_for(json!({ "replicas": 2 })).await?;
    until("the third has left", WITHIN, async || {
        let claims = cluster.claims().await?;
        let third = claims.iter().find(|claim| claim.name_any() == "data-db-2");
        Ok(third.is_none_or(|claim| claim.annotations().contains_key(DECOMMISSIONED)).then_some(()))
    })
    .await?;
    to(cluster, 3).await?;
    Ok(began.elapsed())
}

pub(super) async fn hibernate(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    agent.load("db", 200, 0).await?;
    sleep(Duration::from_secs(5)).await;
    let report = agent.end_without_failure().await?;
    cluster.ask_for(json!({ "mode": "Hibernated" })).await?;
    let ((), asleep) =
        until("no pod runs", WITHIN, async || Ok(cluster.pods().await?.is_empty().then_some(())))
            .await?;
    expect(cluster.claims().await?.len() == 3, || "a hibernated cluster has lost a disk".into())?;
    cluster.ask_for(json!({ "replicas": 2, "mode": "Running" })).await?;
    let awake = cluster.settles(2, WITHIN).await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "asleep in {asleep:.0?}, awake and 3→2 in {awake:.0?}; {} writes before, {} keys on every node",
        report.written, found.keys,
    ))
}

/// Kills of the operator while the cluster is resized.
const KILLS: u32 = 20;

/// 3→5→3, with the operator that acts killed again and again, and the status erased.
pub(super) async fn killed(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({ "storage": { "retain": "DeleteOnScaleDown" } })).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    agent.load("db", 200, 200).await?;
    let (began, killed) = (Instant::now(), Cell::new(false));
    let resizing = async {
        let mut rounds = 0;
        while !killed.get() {
            to(&cluster, 5).await?;
            to(&cluster, 3).await?;
            rounds += 1;
        }
        Ok::<u32, Failure>(rounds)
    };
    let killing = async {
        for kill in 1..=KILLS {
            sleep(Duration::from_millis(rand::random_range(1_000..10_000))).await;
            site.kill_leader().await?;
            if kill == KILLS / 2 {
                cluster.erase_status().await?;
            }
        }
        killed.set(true);
        Ok::<(), Failure>(())
    };
    let (rounds, ()) = tokio::try_join!(resizing, killing)?;
    claims_are(&cluster, 3).await?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "3→5→3 {rounds} times in {:.0?} with the operator killed {KILLS} times and the status erased \
         once; {} writes, none failed; {} keys on every node",
        began.elapsed(),
        report.written,
        found.keys,
    ))
}
