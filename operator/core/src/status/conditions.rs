//! Conditions: a few words each, with a reason that programs can tell apart.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Told, all_in_sync, time};
use crate::crd::{KvsClusterStatus, MemberState, MemberStatus, Mode};
use crate::observed::{Identity, PodSeen};
use crate::plan::{Shut, Wait};

/// One condition before it has a time.
struct Said {
    kind: &'static str,
    holds: bool,
    reason: &'static str,
    message: String,
}

fn said(kind: &'static str, holds: bool, reason: &'static str, message: impl Into<String>) -> Said {
    Said { kind, holds, reason, message: message.into() }
}

pub(super) fn conditions(
    told: &Told<'_>,
    before: &KvsClusterStatus,
    members: &[MemberStatus],
) -> Vec<Condition> {
    let all = [
        available(told),
        converged(told, members),
        degraded(told, before),
        paused(told),
        progressing(told),
        storage(told),
        update(told),
    ];
    all.into_iter().map(|one| dated(one, told, before)).collect()
}

/// The time of a condition is that of its last change.
fn dated(one: Said, told: &Told<'_>, before: &KvsClusterStatus) -> Condition {
    let status = if one.holds { "True" } else { "False" };
    let same = |was: &&Condition| was.type_ == one.kind && was.status == status;
    let was = before.conditions.iter().find(same);
    Condition {
        last_transition_time: was
            .map_or_else(|| time(told.seen.now), |was| was.last_transition_time.clone()),
        message: one.message,
        observed_generation: told.cluster.metadata.generation,
        reason: one.reason.to_owned(),
        status: status.to_owned(),
        type_: one.kind.to_owned(),
    }
}

fn available(told: &Told<'_>) -> Said {
    let kind = "Available";
    if told.seen.pods.values().any(PodSeen::is_ready) {
        return said(kind, true, "Serving", "");
    }
    if told.cluster.spec.mode == Mode::Hibernated {
        return said(kind, false, "Hibernated", "it is hibernated: spec.mode");
    }
    said(kind, false, "NoPodReady", "no pod serves")
}

fn converged(told: &Told<'_>, members: &[MemberStatus]) -> Said {
    let replicas = told.seen.set.as_ref().map_or(0, |set| set.replicas);
    if replicas == 0 {
        return said("Converged", false, "NotRunning", "no node runs");
    }
    if all_in_sync(members, replicas) {
        return said("Converged", true, "InSync", "");
    }
    let apart = members.iter().filter(|member| member.state != MemberState::InSync);
    let apart = apart.map(|member| format!("node {} is {:?}", member.ordinal, member.state));
    said("Converged", false, "NotInSync", apart.collect::<Vec<_>>().join(", "))
}

fn degraded(told: &Told<'_>, before: &KvsClusterStatus) -> Said {
    let kind = "Degraded";
    if let Some(trouble) = told.trouble {
        return said(kind, true, "StepFailed", trouble);
    }
    let for_people = || told.plan.waits.iter().filter(|wait| wait.on.needs_people());
    let is_wanted = |wait: &&Wait| matches!(wait.on, Shut::Fenced(_));
    if let Some(wait) = for_people().find(|wait| !is_wanted(wait)) {
        return said(kind, true, wait.on.reason(), wait.on.to_string());
    }
    if let Some((ordinal, why)) = pod_trouble(told) {
        let disk = told.seen.claims.get(&ordinal).and_then(|claim| claim.trouble.as_deref());
        let disk = disk.map(|why| format!("its disk: {why}; "));
        let disk = disk.unwrap_or_default();
        return said(kind, true, "PodFails", format!("pod {ordinal} does not start: {disk}{why}"));
    }
    if let Some(wait) = told.plan.waits.iter().find(|wait| is_late(wait, told, before)) {
        return said(kind, true, wait.on.reason(), format!("{}: {}", wait.step, wait.on));
    }
    if let Some(fields) = told.unserved {
        let message = format!(
            "the API server drops {fields}: its CRDs are older than the operator; apply the operator's"
        );
        return said(kind, true, "CrdsOlder", message);
    }
    // Last: it may stay so for days, and is to hide nothing.
    match for_people().find(is_wanted) {
        Some(wait) => said(kind, true, wait.on.reason(), wait.on.to_string()),
        None => said(kind, false, "AsExpected", ""),
    }
}

fn pod_trouble<'a>(told: &Told<'a>) -> Option<(u32, &'a str)> {
    let held = &told.seen.held;
    let unready = |(at, pod): &(&u32, &PodSeen)| !pod.is_ready() && !held.contains(at);
    let mut pods = told.seen.pods.iter().filter(unready);
    pods.find_map(|(ordinal, pod)| Some((*ordinal, pod.trouble.as_deref()?)))
}

/// Whether a step waits for longer than the spec allows. A canary may wait for ever, as may who is held down, and
/// a backup takes as long as it is large.
fn is_late(wait: &Wait, told: &Told<'_>, before: &KvsClusterStatus) -> bool {
    if matches!(wait.on, Shut::Canary(_) | Shut::Restoring | Shut::Fenced(_)) {
        return false;
    }
    let since = before.plan.iter().find(|was| was.step == wait.step);
    let Some(since) = since.and_then(|was| was.since.as_ref()) else { return false };
    let since = u64::try_from(since.0.as_millisecond()).unwrap_or_default();
    let waited = Duration::from_millis(told.seen.now.0.saturating_sub(since));
    let minutes = u64::try_from(told.cluster.spec.rollout.timeout_minutes).unwrap_or_default();
    waited > Duration::from_mins(minutes)
}

fn paused(told: &Told<'_>) -> Said {
    match told.cluster.spec.mode {
        Mode::Paused => said("Paused", true, "SpecSaysSo", "spec.mode is Paused"),
        Mode::Running | Mode::Hibernated => said("Paused", false, "Managed", ""),
    }
}

fn progressing(told: &Told<'_>) -> Said {
    let Some(kind) = told.plan.kind else { return said("Progressing", false, "Settled", "") };
    let act = told.plan.act.as_ref().map(ToString::to_string);
    let wait = || {
        let first = told.plan.waits.first();
        first.map(|wait| format!("{}: {}", wait.step, wait.on))
    };
    said("Progressing", true, kind.name(), act.or_else(wait).unwrap_or_default())
}

fn storage(told: &Told<'_>) -> Said {
    let kind = "StorageReady";
    match &told.seen.identity {
        Identity::Absent if !told.seen.claims.is_empty() => {
            return said(kind, false, "IdentityLost", Shut::IdentityLost.to_string());
        }
        Identity::Unusable(why) => return said(kind, false, "IdentityUnusable", why),
        Identity::Absent | Identity::Present => {}
    }
    let mut claims = told.seen.claims.iter();
    let trouble = claims.find_map(|(at, claim)| Some((at, claim.trouble.as_deref()?)));
    match trouble {
        Some((ordinal, why)) => said(kind, false, "ClaimPending", format!("disk {ordinal}: {why}")),
        None => said(kind, true, "Bound", ""),
    }
}

fn update(told: &Told<'_>) -> Said {
    match told.newer {
        Some(newer) => {
            let message = format!(
                "this operator would make pods otherwise; `kubectl kvs adopt` restarts them one by \
                 one with template {newer}"
            );
            said("UpdateAvailable", true, "NewerTemplate", message)
        }
        None => said("UpdateAvailable", false, "UpToDate", ""),
    }
}

/// What matters most, for one line.
pub(super) fn message(conditions: &[Condition]) -> Option<String> {
    let says = |kind: &str, status: &str| {
        let mut all = conditions.iter();
        let found = all.find(|one| one.type_ == kind && one.status == status)?;
        (!found.message.is_empty()).then(|| found.message.clone())
    };
    [("Degraded", "True"), ("StorageReady", "False"), ("Progressing", "True"), ("Paused", "True")]
        .into_iter()
        .find_map(|(kind, status)| says(kind, status))
}
