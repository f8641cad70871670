//! More nodes, fewer nodes, none for a while: under writes.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::ResourceExt as _;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kvs_operator_core::names::{DECOMMISSIONED, NODE};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

/// Operators that are killed take their time.
const WITHIN: Duration = Duration::from_mins(8);
/// Claims of the nodes that come and go, where there are three or five.
const LEAVE: [&str; 2] = ["data-db-3", "data-db-4"];
/// Within which a watch tells what a list told already.
const TOLD: Duration = Duration::from_secs(20);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({ "storage": { "retain": "DeleteOnScaleDown" } })).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    agent.load("db", 200, 200).await?;
    let more = to(&cluster, 5).await?;
    let leaving = async {
        let fewer = to(&cluster, 3).await?;
        Ok((fewer, claims_are(&cluster, 3).await?))
    };
    let ((fewer, claims), _) = proven(&cluster, 3, leaving).await?;
    let changed = change_of_mind(&cluster).await?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "3→5 in {more:.0?}, 5→3 in {fewer:.0?}, {LEAVE:?} alone deleted {claims:.0?} later, each marked as \
         left before; 3→2→3 twice mid-way in {changed:.0?}; {} writes, none failed; {} keys on every node",
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

/// Does something that ends with so many claims. Whichever went meanwhile was marked as that of a node that has
/// left before it was deleted, and they are those of [`LEAVE`], each at least once; how often one went.
async fn proven<T>(
    cluster: &Cluster,
    count: usize,
    doing: impl Future<Output = Result<T, Failure>>,
) -> Result<(T, usize), Failure> {
    let mut claims = Claims::of(cluster).await?;
    let watching = async {
        loop {
            claims.follow(cluster, None).await?;
        }
    };
    let done = tokio::select! {
        fault = watching => fault,
        done = doing => done,
    }?;
    timeout(TOLD, claims.follow(cluster, Some(count))).await??;
    let gone: BTreeSet<&str> = claims.gone.iter().map(String::as_str).collect();
    expect(gone == BTreeSet::from(LEAVE), || format!("the claims that were deleted: {gone:?}"))?;
    Ok((done, claims.gone.len()))
}

/// The claims of a cluster, as a watch tells of them.
struct Claims {
    version: String,
    /// Those that nobody deleted, and whether it is marked on each that its node has left.
    there: BTreeMap<String, bool>,
    gone: Vec<String>,
}

impl Claims {
    async fn of(cluster: &Cluster) -> Result<Self, Failure> {
        let ours = ListParams::default().labels(&cluster.label());
        let list = cluster.of::<PersistentVolumeClaim>().list(&ours).await?;
        let there = list.items.iter().map(|claim| (claim.name_any(), has_left(claim))).collect();
        let version = list.metadata.resource_version.unwrap_or_default();
        Ok(Self { version, there, gone: Vec::new() })
    }

    /// Follows them until there are so many, or for as long as a watch lasts.
    async fn follow(&mut self, cluster: &Cluster, count: Option<usize>) -> Result<(), Failure> {
        let ours = WatchParams::default().labels(&cluster.label());
        let api = cluster.of::<PersistentVolumeClaim>();
        let mut events = pin!(api.watch(&ours, &self.version).await?);
        while count != Some(self.there.len()) {
            let Some(event) = events.try_next().await? else { break };
            self.take(event)?;
        }
        Ok(())
    }

    fn take(&mut self, event: WatchEvent<PersistentVolumeClaim>) -> Result<(), Failure> {
        let (claim, is_gone) = match event {
            WatchEvent::Added(claim) | WatchEvent::Modified(claim) => (claim, false),
            WatchEvent::Deleted(claim) => (claim, true),
            WatchEvent::Bookmark(mark) => {
                self.version = mark.metadata.resource_version;
                return Ok(());
            }
            WatchEvent::Error(status) => return Err(Failure::new(status.message)),
        };
        let name = claim.name_any();
        self.version = claim.resource_version().unwrap_or_default();
        if !is_gone && claim.metadata.deletion_timestamp.is_none() {
            self.there.insert(name, has_left(&claim));
            return Ok(());
        }
        // What was marked when it was deleted, and not what was marked since.
        let proven = self.there.get(&name).is_some_and(|left| *left);
        expect(proven, || format!("{name} was deleted without a mark that its node has left"))?;
        if is_gone {
            self.there.remove(&name);
            self.gone.push(name);
        }
        Ok(())
    }
}

/// Whether it is marked that the node has left whose data is on this claim, and not another one.
fn has_left(claim: &PersistentVolumeClaim) -> bool {
    let (node, left) = (claim.annotations().get(NODE), claim.annotations().get(DECOMMISSIONED));
    left.is_some_and(|left| !left.is_empty()) && left == node
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

/// How often the operator is killed while the cluster is resized.
const KILLS: u32 = 20;
/// Every tenth time its pod goes with it: its lease is nobody's until it has run out, and that takes its time.
const LEASED: u32 = 10;

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
            sleep(Duration::from_millis(rand::random_range(500..3_500))).await;
            if kill.is_multiple_of(LEASED) {
                site.kill_leader().await?;
            } else {
                // It acts again in its pod, whose lease it is. A pod's second restart would be put off by its
                // machine, so the next kill is of another pod.
                site.crash_leader().await?;
                site.end_leader(Some(0)).await?;
            }
            if kill == KILLS / 2 {
                erase_status(&cluster).await?;
            }
        }
        killed.set(true);
        Ok::<(), Failure>(())
    };
    let both = async {
        let (rounds, ()) = tokio::try_join!(resizing, killing)?;
        claims_are(&cluster, 3).await?;
        Ok(rounds)
    };
    let (rounds, claims) = proven(&cluster, 3, Box::pin(both)).await?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "3→5→3 {rounds} times in {:.0?} with the operator killed by SIGKILL {KILLS} times, {} of these with its \
         pod, and the status erased in a step; {claims} claims deleted, each marked as left before; {} writes, \
         none failed; {} keys of checksum {:.16} on every node",
        began.elapsed(),
        KILLS / LEASED,
        report.written,
        found.keys,
        found.digest,
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
