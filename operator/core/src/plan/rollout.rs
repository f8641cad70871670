//! Pods get the template that is in force, one after the other.
//!
//! Pods from `partition` on get the new revision whenever they are made; those below keep the one they
//! have. So a pod is evicted first, which asks the budget, and the partition is lowered below it while
//! it goes. Nothing is restarted by lowering the partition, except what never served.

use super::Shut;
use super::case::{Case, Stage};
use super::leave::evict;
use super::step::{Act, Kind};
use crate::crd::{Gate, Mode};
use crate::observed::{Ordinal, PodSeen, Readiness, SetSeen};

/// Where the partition is to be.
pub(super) fn partition(case: &Case<'_>, replicas: u32) -> u32 {
    let Some(set) = &case.seen.set else { return replicas };
    if set.template != case.wish.template {
        return replicas.max(set.replicas);
    }
    let now = set.partition.min(replicas);
    if !set.observed {
        return now;
    }
    if !is_rolling(case, set) {
        return replicas;
    }
    match now.checked_sub(1) {
        Some(next) if may_lower(case, set, next, replicas) => next,
        _ => now,
    }
}

/// Whether some pods have an older revision.
pub(super) fn is_rolling(case: &Case<'_>, set: &SetSeen) -> bool {
    set.current != set.update || case.seen.pods.values().any(|pod| is_outdated(set, pod))
}

pub(super) fn is_outdated(set: &SetSeen, pod: &PodSeen) -> bool {
    pod.revision != set.update
}

fn may_lower(case: &Case<'_>, set: &SetSeen, next: Ordinal, replicas: u32) -> bool {
    let pod = case.seen.pods.get(&next);
    match pod {
        Some(pod) if !pod.terminating && !is_outdated(set, pod) => true,
        _ if held(case, next, replicas).is_some() => false,
        Some(pod) if !pod.terminating && pod.ready == Readiness::Never => true,
        Some(pod) if !pod.terminating => case.wish.does_without(Gate::Readiness, case.seen.now),
        _ => (next + 1..replicas).all(|above| case.serves(above).is_ok()),
    }
}

/// Why a pod does not get the new template although it is its turn.
fn held(case: &Case<'_>, next: Ordinal, replicas: u32) -> Option<Shut> {
    let canaries = case.wish.canary?;
    let out = replicas.saturating_sub(next + 1);
    (out >= canaries).then(|| Shut::Canary(case.wish.template.clone()))
}

/// The next pod to restart.
pub(super) fn next(case: &Case<'_>) -> Stage {
    let Some(set) = case.seen.set.as_ref().filter(|_| case.wish.mode == Mode::Running) else {
        return Stage::Done;
    };
    if !set.observed {
        return Stage::Wait(Kind::Rollout, "see who is outdated".into(), Shut::SetUnsettled);
    }
    if !is_rolling(case, set) {
        return Stage::Done;
    }
    broken(case, set).unwrap_or_else(|| in_turn(case, set))
}

/// A pod of a revision that was given up, which never served: it is not worth waiting for.
fn broken(case: &Case<'_>, set: &SetSeen) -> Option<Stage> {
    let (ordinal, pod) = case.seen.pods.iter().find(|(ordinal, pod)| {
        is_outdated(set, pod)
            && pod.revision != set.current
            && pod.ready == Readiness::Never
            && !pod.terminating
            && **ordinal < set.replicas
    })?;
    let (uid, resource_version) = (pod.uid.clone(), pod.resource_version.clone());
    let act = Act::DeletePod { ordinal: *ordinal, uid, resource_version };
    Some(Stage::Act(Kind::Rollout, act))
}

fn in_turn(case: &Case<'_>, set: &SetSeen) -> Stage {
    let Some(next) = set.partition.min(set.replicas).checked_sub(1) else {
        return finish(case, set);
    };
    let step = format!("restart pod {next}");
    if let Some(shut) = held(case, next, set.replicas) {
        return Stage::Wait(Kind::Rollout, step, shut);
    }
    match case.seen.pods.get(&next).filter(|pod| !pod.terminating) {
        None => Stage::Wait(Kind::Rollout, step, Shut::PodGoing(next)),
        Some(pod) => match case.gate(next) {
            Ok(()) => Stage::Act(Kind::Rollout, evict(next, pod)),
            Err(shut) => Stage::Wait(Kind::Rollout, step, shut),
        },
    }
}

/// All have it, or are about to: what is left is that they serve.
fn finish(case: &Case<'_>, set: &SetSeen) -> Stage {
    let waits = (0..set.replicas).find_map(|ordinal| case.serves(ordinal).err());
    let on = waits.unwrap_or(Shut::SetUnsettled);
    Stage::Wait(Kind::Rollout, "finish".into(), on)
}
