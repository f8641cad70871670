//! What the `StatefulSet` is to be.

use super::case::Case;
use super::step::{Kind, SetWanted};
use super::{Shut, leave, rollout, shrink};
use crate::crd::Mode;

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
        return 0;
    }
    let population = population(case);
    if case.wish.replicas >= population || case.pods < population {
        return case.wish.replicas.max(population);
    }
    if shrink::may_let_go(case, population - 1) { population - 1 } else { population }
}

/// How many pods are needed for all that count: those that there are, and those of members whose disk
/// is there.
fn population(case: &Case<'_>) -> u32 {
    let seen = case.seen;
    let counts =
        |ordinal: u32, decommissioned: bool| !decommissioned || case.joined_at(ordinal).is_some();
    let disks = seen.claims.iter().filter(|(at, claim)| counts(**at, claim.decommissioned));
    let disks = disks.map(|(ordinal, _)| ordinal + 1).max().unwrap_or_default();
    // Without a StatefulSet there are perhaps pods that it left behind.
    let orphans = seen.pods.keys().filter(|_| seen.set.is_none()).map(|at| at + 1).max();
    disks.max(orphans.unwrap_or_default()).max(case.pods)
}
