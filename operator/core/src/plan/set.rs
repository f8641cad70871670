//! What the `StatefulSet` is to be.

use super::case::{Case, Stage};
use super::step::{Kind, SetWanted};
use super::{Shut, disks, leave, restore, rollout, shrink};
use crate::crd::Mode;
use crate::observed::Ordinal;

/// What it is to be now, and what a change of it is for.
pub(super) fn wanted(case: &Case<'_>) -> Result<(SetWanted, Kind), Shut> {
    let set = case.seen.set.as_ref();
    if set.is_some_and(|set| set.deleting) {
        return Err(Shut::SetUnsettled);
    }
    let replicas = replicas(case);
    let wanted = SetWanted {
        replicas,
        partition: rollout::partition(case, replicas),
        template: case.wish.template.clone(),
        size: set.map_or(case.wish.size, |set| set.size),
        from: set.map(|set| (set.uid.clone(), set.resource_version.clone())),
    };
    let kind = match set {
        None => Kind::Start,
        Some(_) if case.wish.mode == Mode::Hibernated => Kind::Hibernate,
        Some(set) if wanted.replicas > set.replicas => Kind::ScaleUp,
        Some(set) if wanted.replicas < set.replicas => Kind::ScaleDown,
        Some(_) => Kind::Rollout,
    };
    Ok((wanted, kind))
}

fn replicas(case: &Case<'_>) -> u32 {
    // A change of mind waits for the step in flight.
    if leave::in_flight(case) {
        return case.pods;
    }
    if case.wish.mode == Mode::Hibernated {
        return if doomed(case).is_some() { case.pods } else { 0 };
    }
    if restore::holds_up(case) {
        return case.pods.max(1);
    }
    let population = population(case);
    if case.wish.replicas >= population || case.pods < population {
        let missing = case.pods..case.wish.replicas.max(population);
        return held(case)
            .map_or(missing.end, |(ordinal, _)| ordinal.clamp(missing.start, missing.end));
    }
    if shrink::may_let_go(case, population - 1) { population - 1 } else { population }
}

/// The first new pod that cannot be made yet, and why. One that is made for a disk that is being
/// deleted never starts. And while a controller has not seen that there were to be fewer pods, those
/// that it would have ended go on, of whatever revision they are.
fn held(case: &Case<'_>) -> Option<(Ordinal, Shut)> {
    if case.seen.set.as_ref().is_some_and(|set| !set.observed) {
        return Some((case.pods, Shut::SetUnsettled));
    }
    let mut claims = case.seen.claims.range(case.pods.max(orphans(case))..);
    claims
        .find(|(_, claim)| claim.deleting)
        .map(|(ordinal, _)| (*ordinal, Shut::DiskGoing(*ordinal)))
}

fn doomed(case: &Case<'_>) -> Option<Ordinal> {
    (0..case.pods).find(|ordinal| disks::is_doomed(case, *ordinal))
}

/// Whether pods have to wait that are to be made, or to go.
pub(super) fn waits(case: &Case<'_>) -> Stage {
    if let Some(ordinal) = doomed(case).filter(|_| case.wish.mode == Mode::Hibernated) {
        let step = "have no pods".to_owned();
        return Stage::Wait(Kind::Hibernate, step, Shut::DiskDeleted(ordinal));
    }
    let missing = case.pods..case.wish.replicas.max(population(case));
    match held(case) {
        Some((ordinal, shut)) if case.wish.mode == Mode::Running && missing.contains(&ordinal) => {
            Stage::Wait(Kind::ScaleUp, format!("make pod {ordinal}"), shut)
        }
        _ => Stage::Done,
    }
}

/// How many pods are needed for all that count: those that there are, and those of members whose disk
/// is there.
fn population(case: &Case<'_>) -> u32 {
    let seen = case.seen;
    let counts =
        |ordinal: u32, decommissioned: bool| !decommissioned || case.joined_at(ordinal).is_some();
    let disks = seen.claims.iter().filter(|(at, claim)| counts(**at, claim.decommissioned));
    let disks = disks.map(|(ordinal, _)| ordinal + 1).max().unwrap_or_default();
    disks.max(orphans(case)).max(case.pods)
}

/// Without a StatefulSet there are perhaps pods that it left behind.
fn orphans(case: &Case<'_>) -> u32 {
    let last = case.seen.pods.last_key_value().filter(|_| case.seen.set.is_none());
    last.map_or(0, |(last, _)| last + 1)
}
