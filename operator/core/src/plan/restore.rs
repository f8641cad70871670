//! A cluster that begins with a backup.
//!
//! It is brought back onto the first disk before there is a StatefulSet, and the claim says how far that is
//! until its node serves. No other node is made before: empty nodes that meet found a cluster of their own.
//! A claim that does not say so is never brought a backup, whoever's disk it is.

use super::Shut;
use super::case::{Case, Stage};
use super::step::{Act, Kind, Plan};
use crate::observed::{ClaimSeen, Life, Outcome, Restore, RestorerSeen};

/// The next step while there are no pods; nothing where there is no backup to bring back.
pub(super) fn first(case: &Case<'_>) -> Option<Plan> {
    let (seen, backup) = (case.seen, case.wish.backup.as_deref()?);
    if seen.set.is_some() || !seen.pods.is_empty() {
        return None;
    }
    if seen.claims.is_empty() {
        return Some(Plan::act(Kind::Start, Act::MakeClaim { size: case.wish.size }));
    }
    let claim = seen.claims.get(&0).filter(|claim| claim.restore == Some(Restore::Begun))?;
    Some(match bring_back(case, claim) {
        Ok(act) => Plan::act(Kind::Start, act),
        Err(on) => Plan::wait(Kind::Start, format!("bring backup {backup} back"), on),
    })
}

fn bring_back(case: &Case<'_>, claim: &ClaimSeen) -> Result<Act, Shut> {
    if claim.deleting {
        return Err(Shut::DiskGoing(0));
    }
    let Some(pod) = &case.seen.restorer else {
        return Ok(Act::Restore { claim: claim.uid.clone() });
    };
    match pod.outcome {
        _ if pod.terminating => Err(Shut::Restoring),
        _ if pod.claim != claim.uid => Ok(end(pod)),
        Some(Outcome::Succeeded) => Ok(note(claim, Some(Restore::Done))),
        Some(Outcome::Failed) => Ok(end(pod)),
        None => Err(trouble(claim, pod)),
    }
}

fn trouble(claim: &ClaimSeen, pod: &RestorerSeen) -> Shut {
    let disk = claim.trouble.as_ref().map(|why| format!("its disk: {why}"));
    let all: Vec<&str> = disk.iter().chain(&pod.trouble).map(String::as_str).collect();
    if all.is_empty() { Shut::Restoring } else { Shut::RestoreFails(all.join("; ")) }
}

fn end(pod: &RestorerSeen) -> Act {
    Act::EndRestore { uid: pod.uid.clone(), resource_version: pod.resource_version.clone() }
}

fn note(claim: &ClaimSeen, restore: Option<Restore>) -> Act {
    Act::NoteRestore { uid: claim.uid.clone(), restore }
}

/// Whether the first node is to serve before there is another one.
pub(super) fn holds_up(case: &Case<'_>) -> bool {
    case.seen.claims.get(&0).is_some_and(|claim| claim.restore.is_some())
}

/// Once the first node serves it is one as any other.
pub(super) fn finish(case: &Case<'_>) -> Stage {
    let pod = case.seen.restorer.as_ref().filter(|pod| !pod.terminating);
    if let Some(pod) = pod {
        return Stage::Act(Kind::Start, end(pod));
    }
    let serves = case.seen.members.get(&0).is_some_and(|member| member.life == Life::Serving);
    match case.seen.claims.get(&0).filter(|claim| serves && claim.restore.is_some()) {
        Some(claim) => Stage::Act(Kind::Start, note(claim, None)),
        None => Stage::Done,
    }
}
