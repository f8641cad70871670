//! Fewer nodes: one at a time, the highest first, each only once the others hold all that it had.

use super::Shut;
use super::case::{Case, Stage};
use super::leave;
use super::step::{Act, Kind};
use crate::crd::Mode;
use crate::observed::Ordinal;

/// Whether the `StatefulSet` may let go of its last pod.
pub(super) fn may_let_go(case: &Case<'_>, ordinal: Ordinal) -> bool {
    let claim = case.seen.claims.get(&ordinal);
    claim.is_none_or(|claim| claim.decommissioned) && has_gone(case, ordinal)
}

/// Whether it is proven now that nobody counts the node at an ordinal as a member.
fn has_gone(case: &Case<'_>, ordinal: Ordinal) -> bool {
    let own = case.seen.members.get(&ordinal);
    let knows = own.is_none_or(|member| !member.is_member());
    knows && case.is_gone_for(ordinal, &(0..ordinal))
}

/// The next step for the last pod, if there is one too many.
pub(super) fn next(case: &Case<'_>) -> Stage {
    let last = case.pods.checked_sub(1).filter(|last| *last >= case.wish.replicas);
    let Some(last) = last.filter(|_| case.wish.mode != Mode::Paused) else { return Stage::Done };
    if case.wish.mode == Mode::Hibernated && !leave::in_flight(case) {
        return Stage::Done;
    }
    match case.seen.members.get(&last) {
        Some(member) if member.is_member() => leave::onward(case, last, member),
        _ if has_gone(case, last) => note(case, last),
        _ => wait(case, last),
    }
}

fn note(case: &Case<'_>, ordinal: Ordinal) -> Stage {
    let Some(claim) = case.seen.claims.get(&ordinal) else { return Stage::Done };
    let node = case.node_at(ordinal);
    let uid = claim.uid.clone();
    Stage::Act(Kind::ScaleDown, Act::NoteClaim { ordinal, uid, node, decommissioned: true })
}

fn wait(case: &Case<'_>, ordinal: Ordinal) -> Stage {
    let on = match case.joined_at(ordinal) {
        _ if case.seen.members.is_empty() => Shut::NobodyAnswers,
        Some(node) if !case.seen.members.contains_key(&ordinal) => Shut::Dead(ordinal, Some(node)),
        _ => Shut::NoProof(ordinal),
    };
    Stage::Wait(Kind::ScaleDown, format!("let go of pod {ordinal}"), on)
}
