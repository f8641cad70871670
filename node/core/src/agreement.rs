//! What a node knows to be everywhere: agreement, `held` and the horizon, and the fence.
//!
//! - `agreed[peer]`: both hold every version up to it that either of the two had.
//! - `held`: the least of those over the other members; this node holds everything up to it.
//! - `horizon`: the least `held` over all members; everybody holds everything up to it, so what was
//!   dead by then can be forgotten.
//!
//! Laws, each tested: neither `held` nor the horizon ever falls; nothing counts that was published
//! under another list of members; a node is behind the fence exactly if something it may have
//! missed may have been forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::members::{Census, ListId, Members, Standing};
use crate::stamp::{Stamp, UnixMillis};
use crate::sync::IN_FLIGHT;
use crate::wire::Admission;

/// Up to where a comparison that began at clock `c` proves agreement.
#[must_use]
pub fn proven(c: Stamp) -> Stamp {
    Stamp::at(c.millis().before(IN_FLIGHT))
}

/// What every message between nodes carries of its sender's state: 32 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "[u8; 32]", from = "[u8; 32]")]
pub struct Pulse {
    /// The sender's clock.
    pub clock: Stamp,
    /// Up to where the sender holds everything.
    pub held: Stamp,
    /// Up to where, as the sender knows, everybody does.
    pub horizon: Stamp,
    /// The list of members under which `held` is published; zero while it is not.
    pub list: ListId,
}

impl From<Pulse> for [u8; 32] {
    fn from(pulse: Pulse) -> Self {
        let mut bytes = [0; 32];
        let parts = [pulse.clock.bits(), pulse.held.bits(), pulse.horizon.bits(), pulse.list.0];
        for (chunk, part) in bytes.chunks_exact_mut(8).zip(parts) {
            chunk.copy_from_slice(&part.to_le_bytes());
        }
        bytes
    }
}

impl From<[u8; 32]> for Pulse {
    fn from(bytes: [u8; 32]) -> Self {
        let part = |at: usize| {
            let part = bytes[8 * at..][..8].try_into().unwrap_or_default();
            u64::from_le_bytes(part)
        };
        let [clock, held, horizon] = [0, 1, 2].map(|at| Stamp::from_bits(part(at)));
        Self { clock, held, horizon, list: ListId(part(3)) }
    }
}

/// What is kept on disk of it, so that no restart takes back what was published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The list under which `agreed` was reached.
    pub list: ListId,
    /// Up to where this node and each other agree.
    pub agreed: BTreeMap<NodeId, Stamp>,
    /// Up to where this node holds everything.
    pub held: Stamp,
    /// The list under which `held` is published, if it is.
    pub published: Option<ListId>,
    /// Up to where everybody does.
    pub horizon: Stamp,
    /// Up to where this node held everything when members were given up: what is stamped later, a
    /// half of the cluster in which they live on may not have.
    #[serde(default)]
    pub parted: BTreeMap<NodeId, Stamp>,
}

/// The agreement of one node with the others.
#[derive(Clone, Debug)]
pub struct Agreement {
    me: NodeId,
    saved: Saved,
    /// What the others last published.
    heard: BTreeMap<NodeId, Pulse>,
    /// How long the dead are remembered beyond the need.
    retention: Duration,
}

impl Agreement {
    /// The agreement as it was saved. `retention` is how long the horizon stays behind what
    /// everybody holds, so that deletes can still be told of.
    #[must_use]
    pub const fn new(me: NodeId, saved: Saved, retention: Duration) -> Self {
        Self { me, saved, heard: BTreeMap::new(), retention }
    }

    /// The list of members under which agreement is counted.
    pub const fn list(&self) -> ListId {
        self.saved.list
    }

    /// What must be on disk before anybody hears of it.
    pub const fn saved(&self) -> &Saved {
        &self.saved
    }

    /// Up to where this node holds everything.
    pub const fn held(&self) -> Stamp {
        self.saved.held
    }

    /// Up to where everybody does.
    pub const fn horizon(&self) -> Stamp {
        self.saved.horizon
    }

    /// Up to where this node and another agree, under the present list.
    pub fn agreed(&self, peer: NodeId) -> Option<Stamp> {
        self.saved.agreed.get(&peer).copied()
    }

    /// What the others last published, by node.
    pub fn heard(&self, peer: NodeId) -> Option<&Pulse> {
        self.heard.get(&peer)
    }

    /// What this node's next message says.
    pub fn pulse(&self, clock: Stamp) -> Pulse {
        let list = self.saved.published.unwrap_or_default();
        Pulse { clock, held: self.saved.held, horizon: self.saved.horizon, list }
    }

    /// Starts counting anew if the list of members is another one than before.
    pub fn members_are(&mut self, members: &Members) {
        self.note_parted(members);
        let list = members.list();
        if list != self.saved.list {
            self.saved.list = list;
            self.saved.agreed.clear();
            self.saved.published = None;
        }
    }

    fn note_parted(&mut self, members: &Members) {
        let Saved { parted, held, .. } = &mut self.saved;
        for member in members.iter() {
            match member.standing {
                Standing::Joined => drop(parted.remove(&member.node)),
                Standing::Forgotten => drop(*parted.entry(member.node).or_insert(*held)),
                Standing::Left => {}
            }
        }
    }

    /// Up to where a node that knows `others` as members has what this one has: `held`, unless the
    /// two are of halves that gave each other up, or were never of one cluster.
    pub fn held_by(&self, mine: &Census, others: &Census) -> Stamp {
        if mine.is_apart_from(others) && !others.counted.iter().any(|(node, _)| self.knew(*node)) {
            return Stamp::MIN;
        }
        let parted = others.counted.iter().filter_map(|(node, _)| self.saved.parted.get(node));
        parted.copied().chain([self.saved.held]).min().unwrap_or_default()
    }

    fn knew(&self, node: NodeId) -> bool {
        self.saved.parted.contains_key(&node)
    }

    /// Holds no more than a peer does that this node took data from, while it has told nobody yet
    /// what it holds.
    pub fn lower_held(&mut self, held: Stamp) {
        if self.saved.published.is_none() {
            self.saved.held = self.saved.held.min(held);
        }
    }

    /// Notes that this node and `peer` agree up to `stamp`, both on disk, and raises `held` if that
    /// was the last one missing.
    pub fn agree(&mut self, members: &Members, peer: NodeId, stamp: Stamp) {
        if members.list() != self.saved.list || !members.counts(peer) {
            return;
        }
        let agreed = self.saved.agreed.entry(peer).or_default();
        *agreed = stamp.max(*agreed);
        self.raise_held(members, Stamp::MAX);
    }

    /// Raises `held` as far as all others agree; a node that is alone holds everything up to its
    /// own clock.
    pub fn raise_held(&mut self, members: &Members, clock: Stamp) {
        if !members.counts(self.me) || members.list() != self.saved.list {
            return;
        }
        let others = members.joined().map(|member| member.node).filter(|node| *node != self.me);
        let agreed: Option<Vec<Stamp>> = others.map(|other| self.agreed(other)).collect();
        let Some(agreed) = agreed else { return };
        let least = agreed.into_iter().min().unwrap_or_else(|| proven(clock));
        if least < Stamp::MAX {
            self.saved.held = self.saved.held.max(least);
            self.saved.published = Some(self.saved.list);
        }
    }

    /// Notes what a peer says of itself.
    pub fn hear(&mut self, peer: NodeId, pulse: Pulse) {
        self.heard.insert(peer, pulse);
    }

    /// Raises the horizon as far as everybody is known to hold everything; says whether it rose.
    pub fn raise_horizon(&mut self, members: &Members) -> bool {
        let Some(everywhere) = self.everywhere(members) else { return false };
        self.adopt_horizon(Stamp::at(everywhere.millis().before(self.retention)))
    }

    /// Takes over a peer's horizon, which is a fact about the cluster; says whether it is news.
    pub fn adopt_horizon(&mut self, horizon: Stamp) -> bool {
        let rises = horizon > self.saved.horizon;
        self.saved.horizon = self.saved.horizon.max(horizon);
        rises
    }

    /// The least `held` over all members, as far as all have published one under this list.
    fn everywhere(&self, members: &Members) -> Option<Stamp> {
        let published = members.joined().map(|member| self.published(member.node));
        published.collect::<Option<Vec<Stamp>>>()?.into_iter().min()
    }

    /// The `held` that a member has published under the present list.
    fn published(&self, node: NodeId) -> Option<Stamp> {
        if node == self.me {
            return self.saved.published.map(|_| self.saved.held);
        }
        let pulse = self.heard.get(&node).filter(|pulse| pulse.list == self.saved.list);
        pulse.map(|pulse| pulse.held)
    }

    /// Who holds the horizon back: the member with the least published `held`, or one that has
    /// published none.
    pub fn last(&self, members: &Members) -> Option<NodeId> {
        members.joined().map(|member| member.node).min_by_key(|node| self.published(*node))
    }

    /// Begins anew as an empty node that was taken in by a peer: it holds what that peer held.
    pub fn admitted(&mut self, members: &Members, admission: &Admission) {
        self.heard.clear();
        let Pulse { held, horizon, .. } = admission.pulse;
        let parted = admission.parted.clone();
        self.saved = Saved { list: members.list(), held, horizon, parted, ..Saved::default() };
        self.note_parted(members);
    }
}

/// Which of two nodes that meet has missed deletions that the other may have forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Fence {
    /// Neither: they may talk.
    Open,
    /// This node.
    Behind,
    /// The other one.
    Ahead,
    /// Each: two halves that gave each other up.
    Both,
}

impl Fence {
    /// Compares what two nodes hold with what each may have forgotten.
    pub fn between(mine: &Pulse, theirs: &Pulse) -> Self {
        match (mine.held < theirs.horizon, theirs.held < mine.horizon) {
            (false, false) => Self::Open,
            (true, false) => Self::Behind,
            (false, true) => Self::Ahead,
            (true, true) => Self::Both,
        }
    }
}

/// How far `held` lies behind `now`.
#[must_use]
pub fn lag(held: Stamp, now: UnixMillis) -> Duration {
    Duration::from_millis(now.0.saturating_sub(held.millis().0))
}

#[cfg(test)]
mod tests;
