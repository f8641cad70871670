//! More nodes, fewer nodes, none for a while: under writes.

use std::cell::Cell;
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
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
    let asleep = sleeps(&cluster).await?;
    cluster.ask_for(json!({ "replicas": 2 })).await?;
    sleeps(&cluster).await?;
    cluster.ask_for(json!({ "mode": "Running" })).await?;
    let awake = cluster.settles(2, WITHIN).await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    let left = cluster.of::<PersistentVolumeClaim>().get_opt("data-db-2").await?;
    expect(left.is_some_and(|claim| claim.metadata.deletion_timestamp.is_none()), || {
        "the disk of the node that left went with it, though it is to be retained".into()
    })?;
    Ok(format!(
        "asleep in {asleep:.0?}; 3→2 asked for meanwhile; awake and left by one in {awake:.0?}, whose disk is \
         still there; {} writes before, {} keys on every node",
        report.written, found.keys,
    ))
}

/// Waits until no pod runs, nothing is under way, and all three disks are there.
async fn sleeps(cluster: &Cluster) -> Result<Duration, Failure> {
    let asleep = cluster.settles(0, WITHIN).await?;
    let disks = cluster.claims().await?.len();
    expect(disks == 3, || format!("a hibernated cluster of three has {disks} disks"))?;
    Ok(asleep)
}

/// `storage.retain: Delete`: disks and identity go with their `KvsCluster`.
pub(super) async fn nothing_retained(site: &Site, space: &str) -> Outcome {
    let cluster = Cluster::new(site, space, "db");
    cluster.make(json!({ "replicas": 1, "storage": { "retain": "Delete" } })).await?;
    cluster.settles(1, Duration::from_secs(90)).await?;
    let secrets = cluster.of::<Secret>();
    let (disks, identity) = (cluster.claims().await?.len(), secrets.get_opt("db-identity").await?);
    expect(disks == 1 && identity.is_some(), || format!("{disks} disks before it is deleted"))?;
    cluster.delete().await?;
    let ((), took) = until("disk and identity are gone", WITHIN, async || {
        let left = cluster.claims().await?.len();
        let identity = secrets.get_opt("db-identity").await?.is_some();
        expect(left == 0 && !identity, || format!("{left} disks left, identity: {identity}"))?;
        Ok(Some(()))
    })
    .await?;
    Ok(format!("disk and identity gone {took:.0?} after the KvsCluster was deleted"))
}

/// Ends of the operator while the cluster is resized.
const ENDS: u32 = 20;
/// Every fifth of them is a kill: whoever is killed holds the lease until it has run out.
const KILLED: u32 = 5;

/// 3→5→3, with the operator that acts ended again and again, and the status erased.
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
        for end in 1..=ENDS {
            sleep(Duration::from_millis(rand::random_range(1_000..8_000))).await;
            if end.is_multiple_of(KILLED) {
                site.kill_leader().await?;
            } else {
                site.end_leader(Some(0)).await?;
            }
            if end == ENDS / 2 {
                erase_status(&cluster).await?;
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
        "3→5→3 {rounds} times in {:.0?} with the operator ended {ENDS} times, {} of these {}, and the status \
         erased in a step; {} writes, none failed; {} keys on every node",
        began.elapsed(),
        ENDS / KILLED,
        site.how_killed(),
        report.written,
        found.keys,
    ))
}

/// Takes the status away while a step is under way.
async fn erase_status(cluster: &Cluster) -> Result<(), Failure> {
    until("a status is erased in a step", WITHIN, async || {
        let now = cluster.get().await?;
        let conditions = now.status.iter().flat_map(|status| &status.conditions);
        let stepping = conditions.filter(|one| one.type_ == "Progressing" && one.status == "True");
        if stepping.count() == 0 {
            return Ok(None);
        }
        // Not if it has changed since.
        let version = now.resource_version().unwrap_or_default();
        cluster.erase_status(&version).await.map(Some)
    })
    .await?;
    Ok(())
}
