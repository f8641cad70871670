//! How each node is. Between two bounds it stays called what it was called, so that nothing flickers.

use std::time::Duration;

use super::Told;
use crate::crd::{KvsClusterStatus, MemberState, MemberStatus};
use crate::observed::{Life, MemberSeen, Observed, Ordinal};

/// Whoever has agreed with all others within this is in sync: six comparisons at their default pace.
const IN_SYNC: Duration = Duration::from_mins(1);
/// Whoever has not for this is behind.
const BEHIND: Duration = Duration::from_mins(2);

pub(super) fn members(told: &Told<'_>, before: &KvsClusterStatus) -> Vec<MemberStatus> {
    let pods = told.seen.set.as_ref().map_or(0, |set| set.replicas);
    (0..pods).map(|ordinal| member(told.seen, ordinal, before)).collect()
}

fn member(seen: &Observed, ordinal: Ordinal, before: &KvsClusterStatus) -> MemberStatus {
    let number = i32::try_from(ordinal).unwrap_or_default();
    let was = before.members.iter().find(|member| member.ordinal == number);
    let answer = seen.members.get(&ordinal);
    let noted = seen.claims.get(&ordinal).and_then(|claim| claim.node);
    let node = answer.map(|member| member.node).or(noted);
    let version = answer.and_then(|member| member.version.clone());
    let state = was.map(|was| was.state);
    MemberStatus {
        ordinal: number,
        node: node.map(|node| node.to_string()),
        version: version.or_else(|| was.and_then(|was| was.version.clone())),
        state: answer.map_or(MemberState::Unknown, |member| judged(seen, ordinal, member, state)),
    }
}

fn judged(
    seen: &Observed,
    ordinal: Ordinal,
    member: &MemberSeen,
    was: Option<MemberState>,
) -> MemberState {
    if member.life != Life::Serving || member.departure.is_some() {
        return MemberState::Behind;
    }
    match oldest_agreement(seen, ordinal, member) {
        Some(age) if age <= IN_SYNC => MemberState::InSync,
        Some(age) if age <= BEHIND && was == Some(MemberState::InSync) => MemberState::InSync,
        _ => MemberState::Behind,
    }
}

/// How long ago this node last held what each of the other members held, by its own clock. Who has left
/// still answers for a while.
fn oldest_agreement(seen: &Observed, ordinal: Ordinal, member: &MemberSeen) -> Option<Duration> {
    let others = seen.members.iter().filter(|(at, other)| **at != ordinal && other.is_member());
    let mut oldest = Duration::ZERO;
    for (_, other) in others {
        let agreed = member.peers.get(&other.node)?.agreed?;
        oldest = oldest.max(Duration::from_millis(member.now.0.saturating_sub(agreed.0)));
    }
    Some(oldest)
}
