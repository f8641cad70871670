//! What others may read.

use std::sync::Arc;
use std::time::Duration;

use kvs_core::UnixMillis;
use kvs_core::membership::{Member, Membership, Seen, State, Twin};

/// Who can be reached, at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// This node, as it introduces itself.
    pub me: Member,
    /// All other members of whom everything is known, by name, reachable or not.
    pub members: Vec<SeenMember>,
    /// Whether another member has spoken with this node since it started.
    pub joined: bool,
    /// Another process that lives under this node's id.
    pub twin: Option<Twin>,
    /// What whoever pulls this node's list is answered.
    pub introductions: Vec<Member>,
}

/// A member as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenMember {
    /// What it said of itself.
    pub member: Arc<Member>,
    /// Whether it can be reached.
    pub state: State,
    /// When this node last heard of it from itself, or heard that it is up.
    pub last_seen: UnixMillis,
}

impl View {
    /// Of a node that has spoken with nobody.
    pub(super) fn alone(me: Member) -> Self {
        let introductions = vec![me.clone()];
        Self { me, members: Vec::new(), joined: false, twin: None, introductions }
    }

    /// What `membership` sees `elapsed` after its start, at wall time `now`.
    pub(super) fn of(membership: &Membership, elapsed: Duration, now: UnixMillis) -> Self {
        let seen = |Seen { member, state, last_seen }| SeenMember {
            member,
            state,
            last_seen: now.before(elapsed.saturating_sub(last_seen)),
        };
        Self {
            me: membership.me().clone(),
            members: membership.members().into_iter().map(seen).collect(),
            joined: membership.joined(),
            twin: membership.twin(),
            introductions: membership.introductions(),
        }
    }

    /// Whether nothing differs but when members were last seen.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let kept = |view: &Self| (view.joined, view.twin, view.members.len());
        let same = |(a, b): (&SeenMember, &SeenMember)| a.member == b.member && a.state == b.state;
        self.me == other.me
            && kept(self) == kept(other)
            && self.members.iter().zip(&other.members).all(same)
    }
}
