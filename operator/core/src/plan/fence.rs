//! Nodes that are held down.
//!
//! A node looks whether it is one when it starts, in a `ConfigMap` that is written before any step is
//! taken. So all there is to do is to restart it, as any pod is restarted.

use super::Shut;
use super::case::{Case, Stage};
use super::disks;
use super::leave::evict;
use super::step::Kind;
use crate::crd::Mode;
use crate::observed::Ordinal;

/// The next node to hold down. One that is down already is waited for, by people.
pub(super) fn next(case: &Case<'_>) -> Stage {
    if case.wish.mode != Mode::Running {
        return Stage::Done;
    }
    let fenced = || case.wish.fenced.range(..case.pods).copied();
    match fenced().find(|ordinal| is_up(case, *ordinal)) {
        Some(ordinal) => hold(case, ordinal),
        None => fenced().next().map_or(Stage::Done, |ordinal| {
            Stage::Wait(Kind::Fence, "have every pod serve".into(), Shut::Fenced(ordinal))
        }),
    }
}

/// Whether a node runs: what is held down answers nobody.
fn is_up(case: &Case<'_>, ordinal: Ordinal) -> bool {
    case.seen.is_ready(ordinal) || case.seen.members.contains_key(&ordinal)
}

fn hold(case: &Case<'_>, ordinal: Ordinal) -> Stage {
    let wait = |on| Stage::Wait(Kind::Fence, format!("hold node {ordinal} down"), on);
    let Some(pod) = case.seen.pods.get(&ordinal) else { return wait(Shut::PodAbsent(ordinal)) };
    if pod.terminating {
        return wait(Shut::PodGoing(ordinal));
    }
    if disks::is_doomed(case, ordinal) {
        return wait(Shut::DiskDeleted(ordinal));
    }
    match case.gate(ordinal) {
        Ok(()) => Stage::Act(Kind::Fence, evict(ordinal, pod)),
        Err(shut) => wait(shut),
    }
}
