//! Nodes that go: told to, by people, or given up.

use std::time::Duration;

use super::Shut;
use super::case::{Case, Stage};
use super::step::{Act, Kind};
use crate::crd::Mode;
use crate::observed::{Departure, Life, MemberSeen, Ordinal, PodSeen, Readiness};

/// How long a pod must have been unready, beside being gone from all Services' endpoints, before its node
/// refuses writes: by then nobody sends it any.
const UNREADY: Duration = Duration::from_secs(5);

/// Whether a node is on its way out, or is out and that is not noted yet.
pub(super) fn in_flight(case: &Case<'_>) -> bool {
    leaving(case).is_some() || unnoted(case)
}

fn leaving(case: &Case<'_>) -> Option<Ordinal> {
    let leaving = |member: &MemberSeen| member.departure == Some(Departure::Leaving);
    let mut members = case.seen.members.iter();
    members.find(|(_, member)| leaving(member)).map(|(ordinal, _)| *ordinal)
}

/// The last one left, nobody wants it back, and its claim does not say so yet.
fn unnoted(case: &Case<'_>) -> bool {
    let Some(last) = case.pods.checked_sub(1) else { return false };
    let left = case.seen.members.get(&last).and_then(|member| member.departure);
    let noted = case.seen.claims.get(&last).is_none_or(|claim| claim.decommissioned);
    left == Some(Departure::Left) && last >= case.wish.replicas && !noted
}

/// A node that left although it is wanted starts over: with its old disk it comes back as a new node.
pub(super) fn gone(case: &Case<'_>) -> Stage {
    for (ordinal, member) in &case.seen.members {
        let Some(pod) = case.seen.pods.get(ordinal) else { continue };
        if member.departure == Some(Departure::Left)
            && *ordinal < case.wish.replicas
            && case.wish.mode == Mode::Running
            && !pod.terminating
        {
            return Stage::Act(Kind::ScaleUp, evict(*ordinal, pod));
        }
    }
    Stage::Done
}

pub(super) fn evict(ordinal: Ordinal, pod: &PodSeen) -> Act {
    Act::Evict { ordinal, uid: pod.uid.clone() }
}

/// A node that was drained to leave, and is wanted after all, or not the last one any more.
pub(super) fn drained(case: &Case<'_>) -> Stage {
    let stays = |ordinal: Ordinal| ordinal < case.wish.replicas || ordinal + 1 < case.pods;
    let back = case.seen.members.iter().find(|(ordinal, member)| {
        member.draining && member.departure.is_none() && stays(**ordinal)
    });
    match back {
        Some((ordinal, member)) if case.wish.mode == Mode::Running => {
            Stage::Act(Kind::ScaleUp, Act::Serve { ordinal: *ordinal, node: member.node })
        }
        _ => Stage::Done,
    }
}

/// Nodes that people have given up.
pub(super) fn forget(case: &Case<'_>) -> Stage {
    let given_up = case.wish.forget.iter().find(|node| case.joined.contains_key(*node));
    match given_up {
        Some(node) => give_up(case, *node, Kind::Forget),
        None => Stage::Done,
    }
}

/// Has a node give another one up, unless that one lives.
pub(super) fn give_up(case: &Case<'_>, node: uuid::Uuid, kind: Kind) -> Stage {
    let step = format!("give node {node} up");
    let mut members = case.seen.members.values();
    let lives = members.any(|member| {
        member.node == node || member.peers.get(&node).is_some_and(|peer| peer.reachable)
    });
    if lives {
        return Stage::Wait(kind, step, Shut::Lives(node));
    }
    let able = |member: &MemberSeen| member.life == Life::Serving && member.departure.is_none();
    match case.seen.members.iter().find(|(_, member)| able(member)) {
        Some((ordinal, _)) => Stage::Act(kind, Act::Forget { ordinal: *ordinal, node }),
        None => Stage::Wait(kind, step, Shut::NobodyAnswers),
    }
}

/// The next step of a node that answers and is to leave.
pub(super) fn onward(case: &Case<'_>, ordinal: Ordinal, member: &MemberSeen) -> Stage {
    let (kind, node) = (Kind::ScaleDown, member.node);
    let wait = |on| Stage::Wait(kind, format!("have node {ordinal} leave"), on);
    if member.departure == Some(Departure::Leaving) {
        return wait(Shut::Leaving(ordinal));
    }
    if let Err(shut) = case.gate(ordinal) {
        return wait(shut);
    }
    if !member.draining {
        return Stage::Act(kind, Act::Drain { ordinal, node });
    }
    // Machines read the Services' endpoints some time after they are written.
    let found = case.seen.routed.contains(&ordinal);
    if found || unready_for(case, ordinal).is_none_or(|time| time < UNREADY) {
        return wait(Shut::Draining(ordinal));
    }
    Stage::Act(kind, Act::Leave { ordinal, node })
}

fn unready_for(case: &Case<'_>, ordinal: Ordinal) -> Option<Duration> {
    match case.seen.pods.get(&ordinal)?.ready {
        Readiness::Never => Some(Duration::MAX),
        Readiness::Since(_) => None,
        Readiness::Lost(since) => {
            Some(Duration::from_millis(case.seen.now.0.saturating_sub(since.0)))
        }
    }
}
