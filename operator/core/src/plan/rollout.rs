//! Pods get the template that is in force, one after the other.
//!
//! Pods from `partition` on get the new revision whenever they are made; those below keep the one they
//! have. So a pod is evicted first, which asks the budget, and the partition is lowered below it while
//! it goes. Lowering the partition restarts nobody.
//!
//! A pod that never served, below one that serves, would hold everything up: it can only be made of the
//! revision that does not work. For such pods there is no partition for a while.

use super::case::{Case, Stage};
use super::leave::evict;
use super::step::{Act, Kind};
use super::{Shut, disks};
use crate::crd::{Gate, Mode};
use crate::observed::{Ordinal, PodSeen, Readiness, SetSeen};

/// Where the partition is to be.
pub(super) fn partition(case: &Case<'_>, replicas: u32) -> Option<u32> {
    let Some(set) = &case.seen.set else { return Some(replicas) };
    if set.template != case.wish.template {
        return Some(replicas.max(set.replicas));
    }
    let now = set.partition.map(|now| now.min(replicas));
    if !set.observed {
        return now;
    }
    if !is_rolling(case, set) {
        return Some(replicas);
    }
    if is_stuck(case, set) {
        return None;
    }
    let raised = now.map(|now| raised(case, set, now));
    if raised != now {
        return raised;
    }
    match now.unwrap_or(replicas).checked_sub(1) {
        Some(next) if may_lower(case, set, next, replicas) => Some(next),
        _ => now.or(Some(replicas)),
    }
}

/// Whether a pod that never served can only be made of what does not work, while it is the turn of
/// one that did, or that cannot be ended yet.
fn is_stuck(case: &Case<'_>, set: &SetSeen) -> bool {
    if case.wish.canary.is_some() || case.wish.mode != Mode::Running {
        return false;
    }
    let dead = |pod: &PodSeen| is_outdated(set, pod) && is_hopeless(case, set, pod);
    let pods = &case.seen.pods;
    let Some(partition) = set.partition else {
        // Until the last of them is made anew.
        return (0..set.replicas).any(|at| pods.get(&at).is_none_or(dead));
    };
    let next =
        partition.min(set.replicas).checked_sub(1).and_then(|next| pods.get_key_value(&next));
    let served = next.is_some_and(|(at, next)| {
        is_outdated(set, next) && (!dead(next) || disks::is_doomed(case, *at))
    });
    let hopeless = |pod: &PodSeen| dead(pod) && !pod.terminating && pod.revision == set.current;
    served && pods.range(..partition).any(|(_, pod)| hopeless(pod))
}

/// Whether a pod never served, and is known not to be about to: one that has just been made is. One that
/// has no machine may get its own back, and is not given what fails for others.
fn is_hopeless(case: &Case<'_>, set: &SetSeen, pod: &PodSeen) -> bool {
    never_will(pod) && (pod.placed || !fails(case, set))
}

fn never_will(pod: &PodSeen) -> bool {
    pod.ready == Readiness::Never && pod.trouble.is_some()
}

/// Whether the newer revision is seen not to work: not that its pod waits for another disk.
fn fails(case: &Case<'_>, set: &SetSeen) -> bool {
    let waits = |at: &Ordinal| case.seen.claims.get(at).is_none_or(|claim| claim.deleting);
    let mut pods = case.seen.pods.iter();
    pods.any(|(at, pod)| !is_outdated(set, pod) && never_will(pod) && !waits(at))
}

/// Whether some pods have an older revision.
pub(super) fn is_rolling(case: &Case<'_>, set: &SetSeen) -> bool {
    set.current != set.update || case.seen.pods.values().any(|pod| is_outdated(set, pod))
}

pub(super) fn is_outdated(set: &SetSeen, pod: &PodSeen) -> bool {
    pod.revision != set.update
}

fn may_lower(case: &Case<'_>, set: &SetSeen, next: Ordinal, replicas: u32) -> bool {
    match case.seen.pods.get(&next) {
        Some(pod) if !pod.terminating && !is_outdated(set, pod) => true,
        _ if held(case, next, replicas).is_some() || disks::is_doomed(case, next) => false,
        // Its controller makes it anew then. If it were deleted, it would be what it is before anybody
        // looks again.
        Some(pod) if !pod.terminating && !pod.placed => unserved(case, set, next, pod).is_ok(),
        Some(pod) if !pod.terminating => case.wish.does_without(Gate::Readiness, case.seen.now),
        Some(pod) if pod.ready == Readiness::Never => unserved(case, set, next, pod).is_ok(),
        _ => proven(case, set, next).is_ok(),
    }
}

/// Whether the turn of a pod that never served has come. Where nobody serves, or it never will, those
/// above may be waiting for it: for its word, if one of them lost its disk.
fn unserved(case: &Case<'_>, set: &SetSeen, next: Ordinal, pod: &PodSeen) -> Result<(), Shut> {
    let nobody = !case.seen.pods.values().any(PodSeen::is_ready);
    if nobody || is_hopeless(case, set, pod) {
        made(case, set, next)
    } else {
        proven(case, set, next)
    }
}

/// The partition above pods that kept what they had after it was lowered, since they were made again
/// before, or had no machine then, and that serve or may begin to: their controller would restart them,
/// whatever else is down.
fn raised(case: &Case<'_>, set: &SetSeen, now: u32) -> u32 {
    let may_serve = |pod: &PodSeen| pod.placed && !pod.terminating && !never_will(pod);
    let mut beyond = case.seen.pods.range(now..).rev();
    let last = beyond.find(|(_, pod)| is_outdated(set, pod) && may_serve(pod));
    last.map_or(now, |(ordinal, _)| ordinal + 1)
}

/// Whether those whose turn it was have the new template.
fn made(case: &Case<'_>, set: &SetSeen, next: Ordinal) -> Result<(), Shut> {
    let old = |above: &Ordinal| {
        let pod = case.seen.pods.get(above).filter(|pod| !pod.terminating);
        pod.is_none_or(|pod| is_outdated(set, pod))
    };
    let waits = (next + 1..set.replicas).find(old);
    waits.map_or(Ok(()), |above| Err(Shut::PodGoing(above)))
}

/// Whether they serve with it.
fn proven(case: &Case<'_>, set: &SetSeen, next: Ordinal) -> Result<(), Shut> {
    made(case, set, next)?;
    (next + 1..set.replicas).try_for_each(|above| case.serves(above).map(|_pod| ()))
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
    // What cannot be ended yet waits for others: for the word of one whose turn it is, perhaps.
    let given_up = broken(case, set).map(|stage| unless_doomed(case, stage));
    match given_up {
        Some(stage @ Stage::Act(..)) => stage,
        waiting => match unless_doomed(case, in_turn(case, set)) {
            stage @ Stage::Act(..) => stage,
            stage => waiting.unwrap_or(stage),
        },
    }
}

/// A pod whose disk goes with it is not ended.
fn unless_doomed(case: &Case<'_>, stage: Stage) -> Stage {
    match stage {
        Stage::Act(kind, Act::Evict { ordinal, .. } | Act::DeletePod { ordinal, .. })
            if disks::is_doomed(case, ordinal) =>
        {
            Stage::Wait(kind, format!("restart pod {ordinal}"), Shut::DiskDeleted(ordinal))
        }
        stage => stage,
    }
}

/// A pod of a revision that was given up, which never served: it is not worth waiting for. One that
/// cannot be ended yet may wait for the word of another such pod.
fn broken(case: &Case<'_>, set: &SetSeen) -> Option<Stage> {
    let given_up = |(ordinal, pod): &(&Ordinal, &PodSeen)| {
        is_outdated(set, pod)
            && (pod.revision != set.current || set.partition.is_none_or(|from| **ordinal >= from))
            && is_hopeless(case, set, pod)
            && !pod.terminating
            && **ordinal < set.replicas
    };
    let pods = || case.seen.pods.iter().filter(given_up);
    let (ordinal, pod) = pods().min_by_key(|(ordinal, _)| disks::is_doomed(case, **ordinal))?;
    Some(Stage::Act(Kind::Rollout, delete(*ordinal, pod)))
}

fn delete(ordinal: Ordinal, pod: &PodSeen) -> Act {
    let (uid, resource_version) = (pod.uid.clone(), pod.resource_version.clone());
    Act::DeletePod { ordinal, uid, resource_version }
}

fn in_turn(case: &Case<'_>, set: &SetSeen) -> Stage {
    let partition = set.partition.unwrap_or_default();
    let Some(next) = partition.min(set.replicas).checked_sub(1) else {
        return finish(case, set);
    };
    let step = format!("restart pod {next}");
    if let Some(shut) = held(case, next, set.replicas) {
        return Stage::Wait(Kind::Rollout, step, shut);
    }
    match case.seen.pods.get(&next).filter(|pod| !pod.terminating) {
        None => Stage::Wait(Kind::Rollout, step, Shut::PodGoing(next)),
        // Nobody misses what never served.
        Some(pod) if pod.ready == Readiness::Never => match unserved(case, set, next, pod) {
            Ok(()) => Stage::Act(Kind::Rollout, delete(next, pod)),
            Err(shut) => Stage::Wait(Kind::Rollout, step, shut),
        },
        Some(pod) => match case.gate(next).and_then(|()| proven(case, set, next)) {
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
