//! Every machine emptied in turn, by evictions as `kubectl drain` makes them.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, EvictParams, ListParams, Patch, PatchParams};
use kube::{Error, ResourceExt as _};
use serde_json::json;
use tokio::time::Instant;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

/// Within which all is well again once a machine is back.
const BAR: Duration = Duration::from_secs(30);
const WITHIN: Duration = Duration::from_mins(2);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, WITHIN).await?;
    agent.load("db", 200, 200).await?;
    let (mut machines, mut others, mut slowest) = (0, 0, Duration::ZERO);
    for pod in cluster.pods().await? {
        let machine = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
        cordon(site, &machine, true).await?;
        let drained = drained(&cluster, &pod, &machine).await;
        cordon(site, &machine, false).await?;
        others += drained?;
        let began = Instant::now();
        cluster.settles(3, WITHIN).await?;
        cluster.agrees_since(began, &agent, None, WITHIN).await?;
        slowest = slowest.max(began.elapsed());
        machines += 1;
    }
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, BAR).await?;
    expect(slowest <= BAR, || format!("converged {slowest:.1?} after a machine was back"))?;
    expect(others > 0, || "nothing but the cluster was on the machines".into())?;
    Ok(format!(
        "{machines} machines, with {others} other pods; converged at most {slowest:.1?} after one was back; {} \
         writes and {} reads, none failed; {} keys on every node",
        report.written, report.read, found.keys,
    ))
}

/// Where disks go with their pods, an evicted pod comes up on another machine at once.
pub(super) async fn floating(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({ "storage": { "storageClassName": "floating" } })).await?;
    cluster.settles(3, WITHIN).await?;
    agent.load("db", 200, 200).await?;
    let (mut moved, mut slowest) = (0, Duration::ZERO);
    for name in ["db-0", "db-1", "db-2"] {
        let pod = cluster.of::<Pod>().get(name).await?;
        let machine = machine_of(&pod).unwrap_or_default();
        cordon(site, &machine, true).await?;
        let came_up = elsewhere(&cluster, &agent, &pod, &machine).await;
        cordon(site, &machine, false).await?;
        slowest = slowest.max(came_up?);
        moved += 1;
    }
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, BAR).await?;
    expect(slowest <= BAR, || format!("converged {slowest:.1?} after a pod was evicted"))?;
    Ok(format!(
        "{moved} pods moved, each converged with the others at most {slowest:.1?} after its eviction; {} \
         writes and {} reads, none failed; {} keys on every node",
        report.written, report.read, found.keys,
    ))
}

pub(super) fn machine_of(pod: &Pod) -> Option<String> {
    pod.spec.as_ref()?.node_name.clone()
}

/// The pod is evicted and comes up on another machine, while its own takes none.
async fn elsewhere(
    cluster: &Cluster,
    agent: &Agent,
    pod: &Pod,
    machine: &str,
) -> Result<Duration, Failure> {
    let began = evicted(&cluster.of(), pod).await?;
    until("the pod is on another machine", WITHIN, async || {
        let now = cluster.of::<Pod>().get_opt(&pod.name_any()).await?;
        let other = now.filter(|now| now.uid() != pod.uid()).and_then(|now| machine_of(&now));
        Ok(other.filter(|other| other != machine))
    })
    .await?;
    cluster.settles(3, WITHIN).await?;
    cluster.agrees_since(began, agent, None, WITHIN).await?;
    Ok(began.elapsed())
}

/// Lets nothing come up on a machine, or anything again.
pub(super) async fn cordon(site: &Site, machine: &str, off: bool) -> Result<(), Failure> {
    let nodes: Api<Node> = Api::all(site.client.clone());
    let patch = Patch::Merge(json!({ "spec": { "unschedulable": off } }));
    nodes.patch(machine, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// All of a machine's pods are evicted, the cluster's last: it is the one that waits. How many others there were.
async fn drained(cluster: &Cluster, pod: &Pod, machine: &str) -> Result<usize, Failure> {
    let mut others = evictable(cluster, machine).await?;
    others.retain(|other| other.uid() != pod.uid() && other.metadata.deletion_timestamp.is_none());
    for other in &others {
        let space = other.namespace().unwrap_or_default();
        evicted(&Api::namespaced(cluster.site.client.clone(), &space), other).await?;
    }
    emptied(cluster, pod, machine).await?;
    until("the machine is empty", WITHIN, async || {
        let left = evictable(cluster, machine).await?;
        let left: Vec<String> = left.iter().map(Pod::name_any).collect();
        expect(left.is_empty(), || format!("there are {}", left.join(", ")))?;
        Ok(Some(()))
    })
    .await?;
    // Operators may have been among them: whoever serves without one is not looked after.
    cluster.site.leader(WITHIN).await?;
    Ok(others.len())
}

/// The pods of a machine that `kubectl drain --ignore-daemonsets` evicts. Those that nobody would make again it
/// would not evict either; the agent is one of them, and stays with its load.
async fn evictable(cluster: &Cluster, machine: &str) -> Result<Vec<Pod>, Failure> {
    let there = ListParams::default().fields(&format!("spec.nodeName={machine}"));
    let mut pods = Api::<Pod>::all(cluster.site.client.clone()).list(&there).await?.items;
    pods.retain(|pod| {
        let mut owners = pod.owner_references().iter();
        let cared_for = owners.find(|owner| owner.controller == Some(true));
        // What the machine runs by itself stays, whatever becomes of its mirror.
        let is_mirror = pod.annotations().contains_key("kubernetes.io/config.mirror");
        cared_for.is_some_and(|by| by.kind != "DaemonSet") && !is_mirror
    });
    Ok(pods)
}

/// The cluster's pod on a machine is evicted, and has nowhere to go: its disk stays there.
pub(super) async fn emptied(cluster: &Cluster, pod: &Pod, machine: &str) -> Result<(), Failure> {
    evicted(&cluster.of(), pod).await?;
    waits(cluster, pod).await?;
    let up = cluster.pods().await?.iter().filter(|pod| kubernetes::is_ready(pod)).count();
    expect(up == 2, || format!("{up} pods serve while {machine} is empty"))
}

/// Another pod is there in place of this one, and waits for its machine.
pub(super) async fn waits(cluster: &Cluster, pod: &Pod) -> Result<(), Failure> {
    until("the pod waits for its machine", WITHIN, async || {
        let now = cluster.of::<Pod>().get_opt(&pod.name_any()).await?;
        let other = now.filter(|now| now.uid() != pod.uid());
        Ok(other.filter(|now| machine_of(now).is_none()).map(drop))
    })
    .await
    .map(drop)
}

/// The pod is evicted as soon as the budget lets it go; when that was.
async fn evicted(pods: &Api<Pod>, pod: &Pod) -> Result<Instant, Failure> {
    let name = pod.name_any();
    until("the budget lets it go", WITHIN, async || {
        match pods.evict(&name, &EvictParams::default()).await {
            Ok(_) => Ok(Some(Instant::now())),
            // It went by itself.
            Err(Error::Api(status)) if status.code == 404 => Ok(Some(Instant::now())),
            Err(Error::Api(status)) if status.code == 429 => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
    .await
    .map(|(when, _)| when)
}
