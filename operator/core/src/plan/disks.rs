//! Disks: whose they are, larger ones, new ones, and those that nobody needs.

use super::Shut;
use super::case::{Case, Stage};
use super::leave;
use super::step::{Act, Kind};
use crate::crd::Mode;
use crate::observed::{ClaimSeen, Ordinal};

/// Claims say whose data is on them, so that it is known when nobody answers.
pub(super) fn notes(case: &Case<'_>) -> Stage {
    for (ordinal, member) in &case.seen.members {
        let Some(claim) = case.seen.claims.get(ordinal).filter(|claim| !claim.deleting) else {
            continue;
        };
        let returned = claim.decommissioned && member.is_member() && member.departure.is_none();
        if claim.node != Some(member.node) || returned {
            let (uid, node) = (claim.uid.clone(), Some(member.node));
            let decommissioned = claim.decommissioned && !returned;
            let act = Act::NoteClaim { ordinal: *ordinal, uid, node, decommissioned };
            return Stage::Act(Kind::Notes, act);
        }
    }
    Stage::Done
}

/// Larger disks: first those that there are, then what new ones are made from.
pub(super) fn growth(case: &Case<'_>) -> Stage {
    let size = case.wish.size;
    let mut claims = case.seen.claims.iter().filter(|(_, claim)| !claim.deleting);
    if let Some((ordinal, claim)) = claims.find(|(_, claim)| claim.requested < size) {
        let uid = claim.uid.clone();
        return Stage::Act(Kind::Growth, Act::GrowClaim { ordinal: *ordinal, uid, size });
    }
    match &case.seen.set {
        Some(set) if set.size < size && !leave::in_flight(case) => Stage::Act(
            Kind::Growth,
            Act::OrphanSet { uid: set.uid.clone(), resource_version: set.resource_version.clone() },
        ),
        _ => Stage::Done,
    }
}

/// A member whose disk is lost gets a new one, once its old self is given up.
pub(super) fn replacement(case: &Case<'_>) -> Stage {
    let Some((ordinal, uid)) = &case.wish.replace else { return Stage::Done };
    let Some(claim) = case.seen.claims.get(ordinal).filter(|claim| claim.uid == *uid) else {
        return Stage::Done;
    };
    let ordinal = *ordinal;
    let wait = |on| Stage::Wait(Kind::Replace, format!("give member {ordinal} a new disk"), on);
    if ordinal >= case.pods || case.wish.mode != Mode::Running {
        return Stage::Done;
    }
    if case.seen.is_ready(ordinal) {
        return wait(Shut::Serves(ordinal));
    }
    if let Some(node) = case.joined_at(ordinal) {
        return leave::give_up(case, node, Kind::Replace);
    }
    let others = (0..case.pods).filter(|other| *other != ordinal);
    if !case.is_gone_for(ordinal, &others) {
        return wait(Shut::NoProof(ordinal));
    }
    renew(case, ordinal, claim)
}

/// The claim goes first; it waits for its pod, and with the pod both are made again.
fn renew(case: &Case<'_>, ordinal: Ordinal, claim: &ClaimSeen) -> Stage {
    if !claim.deleting {
        return Stage::Act(Kind::Replace, delete(ordinal, claim));
    }
    match case.seen.pods.get(&ordinal).filter(|pod| !pod.terminating) {
        Some(pod) => Stage::Act(
            Kind::Replace,
            Act::DeletePod {
                ordinal,
                uid: pod.uid.clone(),
                resource_version: pod.resource_version.clone(),
            },
        ),
        None => Stage::Done,
    }
}

fn delete(ordinal: Ordinal, claim: &ClaimSeen) -> Act {
    let (uid, resource_version) = (claim.uid.clone(), claim.resource_version.clone());
    Act::DeleteClaim { ordinal, uid, resource_version }
}

/// A disk that somebody deleted while a pod runs on it goes with that pod, and what it holds may be
/// nowhere else.
pub(super) fn is_doomed(case: &Case<'_>, ordinal: Ordinal) -> bool {
    let goes = |claim: &ClaimSeen| claim.deleting && !claim.decommissioned;
    let others = (0..case.pods).filter(|other| *other != ordinal);
    case.seen.claims.get(&ordinal).is_some_and(goes)
        && case.seen.pods.get(&ordinal).is_some_and(|pod| !pod.terminating)
        && !case.is_gone_for(ordinal, &others)
}

/// Disks of nodes that have left go, if that is wanted, once all others prove it.
pub(super) fn cleanup(case: &Case<'_>) -> Stage {
    let deletes = case.wish.retain.deletes_on_scale_down() && case.wish.mode == Mode::Running;
    if !deletes || case.pods == 0 || case.pods != case.wish.replicas {
        return Stage::Done;
    }
    let unused = case.seen.claims.iter().filter(|(ordinal, claim)| {
        **ordinal >= case.pods
            && claim.decommissioned
            && !claim.deleting
            && !case.seen.pods.contains_key(ordinal)
    });
    let mut found = Stage::Done;
    for (ordinal, claim) in unused {
        if case.is_gone_for(*ordinal, &(0..case.pods)) {
            return Stage::Act(Kind::Cleanup, delete(*ordinal, claim));
        }
        let step = format!("delete disk {ordinal}");
        found = Stage::Wait(Kind::Cleanup, step, Shut::NoProof(*ordinal));
    }
    found
}
