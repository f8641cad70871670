//! Whom SWIM holds to be up, and what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::identity::Identity;
use super::member::{BootId, Member};
use super::message::Event;
use crate::NodeId;

/// How long what another process of a member said is shown to others.
const OTHER_SHOWN: Duration = Duration::from_mins(1);

/// All other nodes ever heard of and not forgotten.
#[derive(Debug, Default)]
pub(super) struct Roster {
    entries: BTreeMap<NodeId, Entry>,
    /// Whose entries changed since the last events.
    changed: BTreeSet<NodeId>,
}

#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The claim that holds, while the member is up.
    pub(super) active: Option<Identity>,
    /// The newest that the member said of itself.
    pub(super) details: Option<Arc<Member>>,
    /// What another of its processes said last, and when: usually the one before. Shown to whoever
    /// asks for a while, so that two living processes of one node learn of each other.
    other: Option<(Arc<Member>, Duration)>,
    pub(super) last_seen: Duration,
    /// As which process the rest of the node knows it to be up.
    told: Option<BootId>,
}

impl Entry {
    /// What the member in its present process said of itself.
    fn current(&self) -> Option<&Arc<Member>> {
        let active = self.active?;
        self.details.as_ref().filter(|details| details.boot == active.boot)
    }

    fn introduction(&self) -> Option<Member> {
        let incarnation = self.active?.incarnation;
        Some(Member { incarnation, ..Member::clone(self.current()?) })
    }

    /// What the rest of the node does not know yet.
    fn news(&mut self) -> Option<Event> {
        if self.active.is_none() {
            self.told.take()?;
            return self.details.clone().map(Event::Down);
        }
        let details = self.current()?.clone();
        match self.told.replace(details.boot) {
            Some(told) if told == details.boot => None,
            Some(_) => Some(Event::Changed(details)),
            None => Some(Event::Up(details)),
        }
    }
}

impl Roster {
    /// A member is up under this claim.
    pub(super) fn up(&mut self, identity: Identity, now: Duration) {
        let entry = self.entry(identity.node);
        entry.active = Some(identity);
        entry.last_seen = now;
    }

    /// A member is down.
    pub(super) fn down(&mut self, identity: Identity) {
        self.entry(identity.node).active = None;
    }

    /// A newer claim holds, whether the member is up or down.
    pub(super) fn renamed(&mut self, identity: Identity) {
        let entry = self.entry(identity.node);
        entry.active = entry.active.map(|_| identity);
    }

    /// A datagram of the member came.
    pub(super) fn heard(&mut self, node: NodeId, now: Duration) {
        if let Some(entry) = self.entries.get_mut(&node) {
            entry.last_seen = now;
        }
    }

    /// Takes in what a member said of itself, unless it has said something newer.
    pub(super) fn learn(&mut self, member: Member, now: Duration) {
        let entry = self.entry(member.node);
        let age = |known: &Member| (known.incarnation, known.boot);
        let is_newer = entry.details.as_ref().is_none_or(|known| age(known) < age(&member));
        let boot = member.boot;
        let older = if is_newer {
            entry.details.replace(Arc::new(member)).filter(|older| older.boot != boot)
        } else {
            entry.details.as_ref().filter(|newer| newer.boot != boot).map(|_| Arc::new(member))
        };
        entry.other = older.map(|older| (older, now)).or(entry.other.take());
    }

    /// Drops what is known of a member that is not up; says whether it is now unknown.
    pub(super) fn forget(&mut self, node: NodeId) -> bool {
        if self.entries.get(&node).is_some_and(|entry| entry.active.is_none()) {
            self.entries.remove(&node);
        }
        !self.entries.contains_key(&node)
    }

    /// What the rest of the node does not know yet.
    pub(super) fn news(&mut self) -> Vec<Event> {
        let changed = std::mem::take(&mut self.changed);
        let news = |node| self.entries.get_mut(&node)?.news();
        changed.into_iter().filter_map(news).collect()
    }

    /// Whether a member is up at this address.
    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        self.active().any(|identity| identity.gossip == address)
    }

    /// The claims that hold.
    pub(super) fn active(&self) -> impl Iterator<Item = &Identity> {
        self.entries.values().filter_map(|entry| entry.active.as_ref())
    }

    /// Members that are up, and of whose present process nothing is known.
    pub(super) fn lacking(&self) -> impl Iterator<Item = &Identity> {
        let lacking = self.entries.values().filter(|entry| entry.current().is_none());
        lacking.filter_map(|entry| entry.active.as_ref())
    }

    /// Members that are up, each as it would now introduce itself, followed by what another process
    /// of it said lately.
    pub(super) fn introductions(&self, now: Duration) -> impl Iterator<Item = Member> {
        let with_other = move |entry: &Entry| {
            let other = entry.other.as_ref().filter(|(_, heard)| now < *heard + OTHER_SHOWN);
            let other = other.map(|(other, _)| Member::clone(other));
            Some(std::iter::once(entry.introduction()?).chain(other))
        };
        self.entries.values().filter_map(with_other).flatten()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    fn entry(&mut self, node: NodeId) -> &mut Entry {
        self.changed.insert(node);
        self.entries.entry(node).or_default()
    }
}
