//! Nodes that are held down.
//!
//! A node looks whether it is one when it starts, in a `ConfigMap` that is written before any act is
//! carried out. So all there is to do is to name it there and to restart it, as any pod is restarted. It
//! is named there only then: whoever starts by itself, after a crash, while another one is away, is
//! needed, whatever people ask for.

use std::collections::BTreeSet;

use super::Shut;
use super::case::{Case, Stage};
use super::disks;
use super::leave::evict;
use super::step::{Act, Kind, Plan};
use crate::crd::Mode;
use crate::observed::Ordinal;

/// The next node to hold down. One that is down already is waited for, by people.
pub(super) fn next(case: &Case<'_>) -> Stage {
    if case.wish.mode != Mode::Running {
        return Stage::Done;
    }
    let fenced = || case.wish.fenced.range(..case.pods).copied();
    match fenced().find(|ordinal| !case.is_held(*ordinal) || is_up(case, *ordinal)) {
        Some(ordinal) => hold(case, ordinal),
        None => fenced().next().map_or(Stage::Done, |ordinal| {
            Stage::Wait(Kind::Fence, "have every pod serve".into(), Shut::Fenced(ordinal))
        }),
    }
}

/// Who is to open nothing when it starts: those who are down for that or go, and whom this plan restarts
/// for it. One that was told and serves all the same, since nothing came of its restart, is told anew
/// when it is its turn again.
pub(super) fn held(case: &Case<'_>, plan: &Plan) -> BTreeSet<Ordinal> {
    let goes = |ordinal| case.seen.pods.get(&ordinal).is_some_and(|pod| pod.terminating);
    let stays = |ordinal| case.is_held(ordinal) && (goes(ordinal) || !is_up(case, ordinal));
    let next = match (plan.kind, &plan.act) {
        (Some(Kind::Fence), Some(Act::Evict { ordinal, .. })) => Some(*ordinal),
        _ => None,
    };
    let fenced = case.wish.fenced.iter().copied();
    fenced.filter(|ordinal| stays(*ordinal) || next == Some(*ordinal)).collect()
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
    if !pod.reads_live {
        return wait(Shut::OldTemplate(ordinal));
    }
    if disks::is_doomed(case, ordinal) {
        return wait(Shut::DiskDeleted(ordinal));
    }
    match case.gate(ordinal) {
        Ok(()) => Stage::Act(Kind::Fence, evict(ordinal, pod)),
        Err(shut) => wait(shut),
    }
}

impl Case<'_> {
    /// Whether a node is held down by people's wish: it was told so, and they still want it.
    pub(super) fn is_held(&self, ordinal: Ordinal) -> bool {
        self.wish.fenced.contains(&ordinal) && self.seen.held.contains(&ordinal)
    }
}
