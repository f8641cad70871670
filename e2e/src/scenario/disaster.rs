//! What happens to clusters, and what is left of them then.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::time::Instant;

use super::{Outcome, drain};
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::load::Report;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

/// How long a machine is cut off.
const CUT: Duration = Duration::from_mins(2);
/// Within which all is well again.
const BAR: Duration = Duration::from_secs(30);
/// What is waited for beyond it, to be able to say how long it took.
const PATIENCE: Duration = Duration::from_mins(2);

/// A cluster that was written to.
async fn written(site: &Site, space: &str) -> Result<(Cluster, Agent, Report), Failure> {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    agent.load("db", 300, 0).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let report = agent.end_without_failure().await?;
    Ok((cluster, agent, report))
}

/// Waits until all is well, by what nodes agreed about since `began`, and says how long that took from then.
async fn recovers(
    cluster: &Cluster,
    agent: &Agent,
    began: Instant,
) -> Result<(Duration, u64), Failure> {
    cluster.settles(3, PATIENCE).await?;
    cluster.agrees_since(began, agent, None, PATIENCE).await?;
    let took = began.elapsed();
    let found = agent.find(&cluster.addresses().await?, BAR).await?;
    expect(took <= BAR, || format!("converged after {took:.1?}, not within {BAR:?}"))?;
    Ok((took, found.keys))
}

pub(super) async fn all_pods(site: &Site, space: &str) -> Outcome {
    let (cluster, agent, report) = written(site, space).await?;
    let before = cluster.pods().await?;
    for pod in &before {
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        cluster.of::<Pod>().delete(&pod.name_any(), &now).await?;
    }
    let began = Instant::now();
    others_than(&cluster, &before).await?;
    let (took, keys) = recovers(&cluster, &agent, began).await?;
    Ok(format!(
        "converged after {took:.1?}; {} writes before, {keys} keys on every node",
        report.written
    ))
}

async fn others_than(cluster: &Cluster, before: &[Pod]) -> Result<(), Failure> {
    until("there are other pods", PATIENCE, async || {
        let now = cluster.pods().await?;
        let same = |pod: &Pod| before.iter().any(|old| old.metadata.uid == pod.metadata.uid);
        Ok((!now.is_empty() && !now.iter().any(same)).then_some(()))
    })
    .await?;
    Ok(())
}

/// The claim goes with its pod: the node that comes is a new one.
pub(super) async fn disk(site: &Site, space: &str) -> Outcome {
    let (cluster, agent, report) = written(site, space).await?;
    let lost = cluster.pods().await?.pop().ok_or_else(|| Failure::new("there is no pod"))?;
    let (pod, claim) = (lost.name_any(), format!("data-{}", lost.name_any()));
    let claims = cluster.of::<PersistentVolumeClaim>();
    let old = claims.get(&claim).await?;
    claims.delete(&claim, &DeleteParams::default()).await?;
    let began = Instant::now();
    cluster.delete_pod(&lost).await?;
    until("there is another disk", PATIENCE, async || {
        let new = claims.get_opt(&claim).await?;
        Ok(new.filter(|new| new.uid() != old.uid()))
    })
    .await?;
    let forgotten = node_of(&old);
    // The old node is a member until people say that it is lost.
    if let Some(node) = &forgotten {
        cluster.ask_for(json!({ "forget": [node] })).await?;
    }
    let (took, _) = recovers(&cluster, &agent, began).await?;
    let moved = machine_gone(&cluster, &agent).await?;
    let (wiped, keys) = wiped(&cluster, &agent).await?;
    Ok(format!(
        "{pod} with an empty disk converged after {took:.1?}, its old node {} given up; with another \
         machine gone for good, `kubectl kvs replace` and {moved:.0?}; the same disk, but wiped: {wiped}; {} \
         writes before, {keys} keys on every node",
        forgotten.as_deref().unwrap_or("unknown"),
        report.written,
    ))
}

/// A machine never comes back, and the disk on it: a person replaces it. How long until all is well.
async fn machine_gone(cluster: &Cluster, agent: &Agent) -> Result<Duration, Failure> {
    let pod = cluster.of::<Pod>().get("db-1").await?;
    let machine = machine_of(&pod);
    drain::cordon(&cluster.site, &machine, true).await?;
    let replaced = replaced(cluster, &pod).await;
    drain::cordon(&cluster.site, &machine, false).await?;
    let took = replaced?;
    agent.find(&cluster.addresses().await?, BAR).await?;
    Ok(took)
}

async fn replaced(cluster: &Cluster, pod: &Pod) -> Result<Duration, Failure> {
    let claims = cluster.of::<PersistentVolumeClaim>();
    let old = claims.get("data-db-1").await?;
    cluster.delete_pod(pod).await?;
    drain::waits(cluster, pod).await?;
    let began = Instant::now();
    cluster.plugin(&["replace", "db", "1"]).await?;
    cluster.settles(3, PATIENCE).await?;
    let new = claims.get("data-db-1").await?;
    expect(new.uid() != old.uid(), || "the pod is back on its old disk".into())?;
    Ok(began.elapsed())
}

/// A disk is there and all that was on it is not, as after a repair: the node is a new one on its old claim.
async fn wiped(cluster: &Cluster, agent: &Agent) -> Result<(String, u64), Failure> {
    let (site, pod) = (&cluster.site, cluster.of::<Pod>().get("db-0").await?);
    if !site.has_machines() {
        let keys = agent.find(&cluster.addresses().await?, BAR).await?.keys;
        return Ok(("not run, disks cannot be reached here".into(), keys));
    }
    let claims = cluster.of::<PersistentVolumeClaim>();
    let claim = claims.get("data-db-0").await?;
    let old = node_of(&claim).ok_or_else(|| Failure::new("data-db-0 does not say whose it is"))?;
    let volume = claim.spec.and_then(|spec| spec.volume_name).unwrap_or_default();
    let machine = machine_of(&pod);
    drain::cordon(site, &machine, true).await?;
    let done = async {
        cluster.delete_pod(&pod).await?;
        drain::waits(cluster, &pod).await?;
        site.wipe(&volume).await
    };
    let done = done.await;
    drain::cordon(site, &machine, false).await?;
    done?;
    let began = Instant::now();
    cluster.ask_for(json!({ "forget": [old] })).await?;
    let (took, keys) = recovers(cluster, agent, began).await?;
    let new = node_of(&claims.get("data-db-0").await?);
    expect(new.as_ref().is_some_and(|new| *new != old), || format!("the claim is of {new:?}"))?;
    Ok((format!("converged after {took:.1?}"), keys))
}

fn node_of(claim: &PersistentVolumeClaim) -> Option<String> {
    claim.annotations().get("kvs.kalzu.dev/node").cloned()
}

/// A machine is cut off from the others, and the pod on it from all but its own machine. Both sides go
/// on writing.
pub(super) async fn cut_off(site: &Site, space: &str) -> Outcome {
    let (cluster, agent, _) = written(site, space).await?;
    let pods = cluster.pods().await?;
    let outside = machine_of(&cluster.of::<Pod>().get("agent").await?);
    let pod = pods.iter().find(|pod| machine_of(pod) != outside);
    let pod = pod.ok_or_else(|| Failure::new("all pods are on one machine"))?;
    let (machine, there) = (machine_of(pod), kubernetes::addresses(std::slice::from_ref(pod)));
    let within = Agent::on_machine(site, space, "within", &machine).await?;
    agent.load("db", 100, 0).await?;
    within.load_at(there.concat(), 100, 0).await?;
    let number = machine.trim_start_matches("node-").to_owned();
    // What goes between pods of one machine passes its firewall, too.
    let cut = "add table inet cut; \
               add chain inet cut in { type filter hook prerouting priority -300; }; \
               add rule inet cut in iifname eth0 drop; \
               add chain inet cut out { type filter hook postrouting priority -300; }; \
               add rule inet cut out oifname eth0 drop";
    site.on_machine(&number, &["nft", cut]).await?;
    tokio::time::sleep(CUT).await;
    site.on_machine(&number, &["nft", "delete table inet cut"]).await?;
    let began = Instant::now();
    cluster.settles(3, PATIENCE).await?;
    cluster.agrees_since(began, &agent, None, PATIENCE).await?;
    let took = began.elapsed();
    let (outside, inside) = (agent.end().await?, within.end().await?);
    expect(inside.failed == 0 && inside.written > 1_000, || {
        format!("the node that was cut off did not go on: {inside:?}")
    })?;
    let at = cluster.addresses().await?;
    let keys = agent.find(&at, BAR).await?.keys + within.find(&at, BAR).await?.keys;
    expect(took <= BAR, || format!("converged after {took:.1?}, not within {BAR:?}"))?;
    Ok(format!(
        "converged {took:.1?} after the machine's return; writes that were acknowledged meanwhile: {} \
         outside, {} by the node that was cut off; {keys} keys on every node",
        outside.written, inside.written,
    ))
}

fn machine_of(pod: &Pod) -> String {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default()
}

pub(super) async fn made_again(site: &Site, space: &str) -> Outcome {
    let (cluster, agent, report) = written(site, space).await?;
    cluster.delete().await?;
    until("its pods are gone", PATIENCE, async || {
        Ok(kubernetes::pods(&site.client, space, "db").await?.is_empty().then_some(()))
    })
    .await?;
    expect(cluster.claims().await?.len() == 3, || "disks went with their KvsCluster".into())?;
    let began = Instant::now();
    cluster.make(json!({})).await?;
    let (took, keys) = recovers(&cluster, &agent, began).await?;
    Ok(format!(
        "converged after {took:.1?}; {} writes before, {keys} keys on every node",
        report.written
    ))
}
