//! A pod, as the plan sees it.

use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use kvs_core::UnixMillis;
use kvs_operator_core::names::Names;
use kvs_operator_core::observed::{PodSeen, Readiness};

use crate::site;

/// A pod's conditions begin within this of its start; what changed later, changed.
const BEGINNING: u64 = 3_000;
/// A scheduler may take this long, for a disk to be made for example.
const SCHEDULING: Duration = Duration::from_secs(20);
/// A program may find its disk still in use by the one before it, and start again.
const CRASHES: i32 = 2;
/// Longest message that is shown of a container.
const LONGEST: usize = 400;

pub(super) fn seen(pod: &Pod, names: &Names) -> PodSeen {
    PodSeen {
        uid: pod.uid().unwrap_or_default(),
        resource_version: pod.resource_version().unwrap_or_default(),
        revision: pod.labels().get("controller-revision-hash").cloned().unwrap_or_default(),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        ready: readiness(pod),
        trouble: trouble(pod),
        placed: pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()),
        reads_live: mounts(pod, &names.live()),
    }
}

/// Whether a ConfigMap is among a pod's volumes.
pub fn mounts(pod: &Pod, map: &str) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let mut maps = volumes.iter().filter_map(|volume| volume.config_map.as_ref());
    maps.any(|mounted| mounted.name == map)
}

pub(super) fn address(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

fn readiness(pod: &Pod) -> Readiness {
    let Some(ready) = condition(pod, "Ready") else { return Readiness::Never };
    let since = ready.last_transition_time.as_ref().map(millis).unwrap_or_default();
    if ready.status == "True" {
        return Readiness::Since(since);
    }
    let start = pod.status.as_ref().and_then(|status| status.start_time.as_ref()).map(millis);
    match start {
        Some(start) if since.0 > start.0.saturating_add(BEGINNING) => Readiness::Lost(since),
        _ => Readiness::Never,
    }
}

fn millis(time: &Time) -> UnixMillis {
    UnixMillis(u64::try_from(time.0.as_millisecond()).unwrap_or_default())
}

/// Why it does not run, in the words of whoever knows: the node, its kubelet, or the scheduler.
fn trouble(pod: &Pod) -> Option<String> {
    let containers = pod.status.as_ref()?.container_statuses.as_deref().unwrap_or_default();
    containers.iter().find_map(of_container).or_else(|| unscheduled(pod))
}

fn of_container(container: &ContainerStatus) -> Option<String> {
    let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
    let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
    // Between two crashes it runs for a moment; that is no other state of affairs.
    let crashes = (container.restart_count > CRASHES && !container.ready).then_some("Crashes");
    let reason = reason.filter(|reason| *reason != "ContainerCreating").or(crashes)?;
    let said = last.and_then(|last| last.message.as_deref());
    let said = said.or_else(|| waiting.and_then(|waiting| waiting.message.as_deref()));
    let said: String = said.unwrap_or_default().trim().chars().take(LONGEST).collect();
    Some(if said.is_empty() { reason.to_owned() } else { format!("{reason}: {said}") })
}

fn unscheduled(pod: &Pod) -> Option<String> {
    let scheduled = condition(pod, "PodScheduled").filter(|one| one.status == "False")?;
    let since = scheduled.last_transition_time.as_ref().map(millis).unwrap_or_default();
    if site::now() < since.after(SCHEDULING) {
        return None;
    }
    let message = scheduled.message.as_deref().unwrap_or_default();
    Some(format!("{}: {message}", scheduled.reason.as_deref().unwrap_or("Unscheduled")))
}
