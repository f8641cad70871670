//! Who can be reached: SWIM over sealed datagrams, joined through seeds.
//!
//! A state machine: [`Membership::step`] takes what happened and returns what is to be done. It
//! knows no socket and no clock; time is the time since its start, randomness a seed.
//!
//! Datagrams carry only a claim (which node, in which process, at which address), so that idle
//! gossip stays small. What else is known of a member comes by pull over the peer port, where
//! whoever asks introduces itself too.
//!
//! This list says who can be reached. Who belongs to the cluster is in its durable records.

mod codec;
mod config;
mod identity;
mod member;
mod message;
mod rival;
mod roster;
mod seeds;
mod timers;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use foca::{AccumulatingRuntime, Foca, NoCustomBroadcast, OwnedNotification};
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom as _;
use rand::{RngExt as _, SeedableRng as _};

pub use self::config::Config;
pub use self::member::{BootId, Incarnation, Member, Seen, State, Twin};
pub use self::message::{Effect, Event, Input};

use self::codec::Wire;
use self::identity::Identity;
use self::rival::Rival;
use self::roster::Roster;
use self::seeds::Seeds;
use self::timers::{Timer, Timers};
use crate::NodeId;

/// Pulls that may be under way at a time. More are asked for again later.
const PULLS: usize = 8;

/// Members looked for at a time that are down.
const SEARCHED: usize = 2;

/// A node's view of who can be reached.
pub struct Membership {
    me: Member,
    /// The incarnation of this process's start.
    first: Incarnation,
    config: Config,
    swim: Foca<Identity, Wire, SmallRng, NoCustomBroadcast>,
    /// What SWIM asked for in the present step.
    outbox: AccumulatingRuntime<Identity>,
    rng: SmallRng,
    now: Duration,
    timers: Timers,
    seeds: Seeds,
    roster: Roster,
    pulling: BTreeSet<SocketAddr>,
    details_due: bool,
    rival: Option<Rival>,
    /// Not before these times is another process outbid again, or who held this node to be down
    /// asked again: two that live under one id contradict each other for ever.
    outbid_next: Duration,
    ask_next: Duration,
    /// How many members there are by the durable records.
    expected: usize,
    joined: bool,
    left: bool,
    effects: Vec<Effect>,
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let up = self.roster.active().count();
        write!(f, "Membership({}, {up} others up at {:?})", self.me.name, self.now)
    }
}

impl Membership {
    /// A node that has spoken with nobody yet. Its first step must be [`Input::Wake`] at time zero.
    ///
    /// `seed` is any number that other nodes are unlikely to have.
    #[must_use]
    pub fn new(me: Member, config: Config, seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let swim_rng = SmallRng::seed_from_u64(rng.random());
        let mut timers = Timers::default();
        for seed in 0..config.seeds {
            timers.set(Duration::ZERO, Timer::Seed(seed));
        }
        timers.set(config.search_interval().mul_f64(rng.random()), Timer::Search);
        Self {
            swim: Foca::new(me.identity(), config.swim(), swim_rng, Wire),
            outbox: AccumulatingRuntime::new(),
            seeds: Seeds::new(config.seeds),
            first: me.incarnation,
            me,
            config,
            rng,
            now: Duration::ZERO,
            timers,
            roster: Roster::default(),
            pulling: BTreeSet::new(),
            details_due: false,
            rival: None,
            outbid_next: Duration::ZERO,
            ask_next: Duration::ZERO,
            expected: 0,
            joined: false,
            left: false,
            effects: Vec::new(),
        }
    }

    /// Takes what happened `now` after the start; returns what is to be done, in order.
    pub fn step(&mut self, input: Input, now: Duration) -> Vec<Effect> {
        self.now = self.now.max(now);
        if !self.left {
            self.take(input);
            self.settle(None);
            self.plan_details();
            self.effects.extend(self.roster.news().into_iter().map(Effect::Tell));
        }
        std::mem::take(&mut self.effects)
    }

    /// When the next [`Input::Wake`] is due; nothing after leaving.
    pub fn next_wake(&self) -> Option<Duration> {
        if self.left { None } else { self.timers.next_due() }
    }

    /// This node, as it would now introduce itself.
    pub const fn me(&self) -> &Member {
        &self.me
    }

    /// Whether another member has spoken with this node.
    pub const fn joined(&self) -> bool {
        self.joined
    }

    /// A process that lives under this node's id, if one claimed so lately.
    pub fn twin(&self) -> Option<Twin> {
        self.rival.as_ref()?.twin(self.now)
    }

    /// The answer to a pull: this node, and everyone up of whom everything is known. A node that
    /// speaks as two processes is in it twice.
    pub fn introductions(&self) -> Vec<Member> {
        std::iter::once(self.me.clone()).chain(self.roster.introductions(self.now)).collect()
    }

    /// All other members of whom everything is known, by name.
    pub fn members(&self) -> Vec<Seen> {
        let suspects = self.swim.iter_members().filter(|m| m.state() == foca::State::Suspect);
        let suspects: BTreeSet<NodeId> = suspects.map(|member| member.id().node).collect();
        let mut members: Vec<_> =
            self.roster.entries().filter_map(|entry| seen(entry, &suspects)).collect();
        members.sort_by(|a, b| {
            (&a.member.name, a.member.node).cmp(&(&b.member.name, b.member.node))
        });
        members
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Wake => self.wake(),
            Input::Datagram { from, payload } => self.datagram(from, &payload),
            Input::Resolved { seed, addresses } => self.resolved(seed, addresses),
            Input::Pulled { from, members } => self.pulled(from, members),
            Input::PullFailed { from } => {
                self.pulling.remove(&from);
            }
            Input::Met(member) => self.met(member),
            Input::Expect(count) => self.expected = count,
            Input::Forget(node) => self.forget(node),
            Input::Leave => self.leave(),
        }
    }

    fn wake(&mut self) {
        while let Some(timer) = self.timers.take_due(self.now) {
            match timer {
                Timer::Swim(timer) => self.swim_timer(timer),
                Timer::Seed(seed) => self.resolve(seed),
                Timer::Details => self.pull_details(),
                Timer::Search => self.search(),
            }
        }
    }

    fn swim_timer(&mut self, timer: foca::Timer<Identity>) {
        // It complains of timers that come late or in vain, and has recovered by then.
        let _ = self.swim.handle_timer(timer, &mut self.outbox);
        self.settle(None);
    }

    fn datagram(&mut self, from: SocketAddr, payload: &Bytes) {
        let source = match codec::source(payload) {
            Ok(source) if source.node == self.me.node => return self.claimed(source),
            Ok(source) => source,
            Err(_) => return self.effects.push(Effect::Malformed { from }),
        };
        if self.swim.handle_data(payload, &mut self.outbox).is_err() {
            return self.effects.push(Effect::Malformed { from });
        }
        self.roster.heard(source.node, self.now);
        self.settle(Some(source));
        self.joined |= self.roster.is_at(source.gossip);
        self.look_for_rival();
    }

    /// Does what SWIM asked for; `source` is who made it ask.
    fn settle(&mut self, source: Option<Identity>) {
        while self.outbox.backlog() > 0 {
            while let Some((to, payload)) = self.outbox.to_send() {
                self.effects.push(Effect::Send { to: to.gossip, payload });
            }
            while let Some((after, timer)) = self.outbox.to_schedule() {
                self.timers.set(self.now + after, Timer::Swim(timer));
            }
            while let Some(notification) = self.outbox.to_notify() {
                self.notified(notification, source);
            }
        }
    }

    fn notified(&mut self, notification: OwnedNotification<Identity>, source: Option<Identity>) {
        match notification {
            OwnedNotification::MemberUp(member) if member.node != self.me.node => {
                self.roster.up(member, self.now);
            }
            OwnedNotification::MemberDown(member) => self.roster.down(member),
            OwnedNotification::Rename(_, member) => self.roster.renamed(member),
            OwnedNotification::Rejoin(me) => self.rejoined(me, source),
            OwnedNotification::Idle => self.isolated(),
            OwnedNotification::MemberUp(_)
            | OwnedNotification::Active
            | OwnedNotification::Defunct => {}
        }
    }

    /// Somebody held this node to be down, and it has taken a higher incarnation. Whoever that was
    /// may be of another part of the cluster: it is asked whom it knows.
    fn rejoined(&mut self, me: Identity, source: Option<Identity>) {
        self.me.incarnation = me.incarnation;
        self.reconnect();
        if let Some(source) = source {
            self.announce(source);
            self.ask(source);
        }
    }

    fn ask(&mut self, other: Identity) {
        if self.now >= self.ask_next {
            self.ask_next = self.now + self.config.gossip_interval;
            self.pull(other.gossip);
        }
    }

    /// Goes on probing at once after a change of identity, not only when a datagram comes.
    fn reconnect(&mut self) {
        self.apply([].into_iter(), false);
    }

    fn isolated(&mut self) {
        self.seeds.begin_again(self.now);
        for seed in 0..self.seeds.len() {
            self.resolve(seed);
        }
    }

    fn resolve(&mut self, seed: usize) {
        if self.seeds.take_due(seed, self.now) {
            self.effects.push(Effect::Resolve { seed });
        }
    }

    fn resolved(&mut self, seed: usize, addresses: Vec<SocketAddr>) {
        let all = self.seeds.is_eager(seed) || !self.joined || self.is_short();
        let asked = addresses.into_iter().filter(|address| {
            *address != self.me.gossip && (all || !self.roster.is_at(*address))
        });
        for address in asked.sample(&mut self.rng, seeds::ASKED) {
            self.pull(address);
        }
        if let Some(due) = self.seeds.resolved(seed, self.now, &mut self.rng) {
            self.timers.set(due, Timer::Seed(seed));
        }
    }

    fn pull(&mut self, from: SocketAddr) {
        if self.pulling.len() < PULLS && self.pulling.insert(from) {
            self.effects.push(Effect::Pull { from });
        }
    }

    fn pulled(&mut self, from: SocketAddr, members: Vec<Member>) {
        self.pulling.remove(&from);
        let (mine, others): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| member.node == self.me.node);
        // Whoever knows nobody learns what all others know.
        let is_news = self.roster.active().next().is_some();
        let claims: Vec<_> = others.iter().map(Member::identity).collect();
        let asked = claims.iter().find(|claim| claim.gossip == from).copied();
        for member in others {
            self.roster.learn(member, self.now);
        }
        self.apply(claims.into_iter(), is_news);
        for member in mine {
            self.claimed(member.identity());
        }
        if let Some(asked) = asked.filter(|_| !self.joined) {
            self.announce(asked);
        }
    }

    fn met(&mut self, member: Member) {
        if member.node != self.me.node {
            let claim = member.identity();
            self.roster.learn(member, self.now);
            return self.apply([claim].into_iter(), true);
        }
        if member.boot != self.me.boot {
            let twin = Rival::met(&mut self.rival, member.identity(), self.now);
            self.tell_of(twin);
        }
    }

    fn apply(&mut self, claims: impl Iterator<Item = Identity>, is_news: bool) {
        // What can fail is writing a claim, and one always fits into an empty datagram.
        let _ = self.swim.apply_many(claims.map(foca::Member::alive), is_news, &mut self.outbox);
        self.settle(None);
    }

    fn announce(&mut self, to: Identity) {
        // What can fail is writing a header, which always fits.
        let _ = self.swim.announce(to, &mut self.outbox);
        self.settle(None);
    }

    /// SWIM keeps the highest claim of another process to this node's id as if it were a member.
    fn look_for_rival(&mut self) {
        if let Some(claim) = self.known(self.me.node) {
            self.claimed(claim);
        }
    }

    /// What SWIM knows of a node, be it up or down.
    fn known(&self, node: NodeId) -> Option<Identity> {
        self.swim.iter_membership_state().map(|member| *member.id()).find(|id| id.node == node)
    }

    /// Somebody claims to be this node, or speaks of one who does.
    fn claimed(&mut self, claim: Identity) {
        if claim.boot == self.me.boot || claim.incarnation < self.first {
            return;
        }
        let twin = Rival::heard(&mut self.rival, claim, self.now);
        self.tell_of(twin);
        if claim.incarnation >= self.me.incarnation {
            self.outbid(claim);
        }
    }

    fn tell_of(&mut self, twin: Option<Twin>) {
        self.effects.extend(twin.map(|twin| Effect::Tell(Event::TwinSeen(twin))));
    }

    /// Takes a higher incarnation than another process of this node.
    fn outbid(&mut self, claim: Identity) {
        if self.now < self.outbid_next {
            return;
        }
        self.outbid_next = self.now + self.config.gossip_interval;
        self.me.incarnation = claim.incarnation.next();
        // What can fail is writing a claim, and one always fits into an empty datagram.
        let _ = self.swim.change_identity(self.me.identity(), &mut self.outbox);
        self.reconnect();
    }

    fn plan_details(&mut self) {
        if !self.details_due && self.roster.lacking().next().is_some() {
            self.details_due = true;
            let wait = self.config.gossip_interval.mul_f64(self.rng.random_range(0.1..0.4));
            self.timers.set(self.now + wait, Timer::Details);
        }
    }

    /// One who lacks many most likely lacks them together with the one who is asked.
    fn pull_details(&mut self) {
        self.details_due = false;
        let lacking = self.roster.lacking().map(|identity| identity.gossip);
        for address in lacking.sample(&mut self.rng, 2) {
            self.pull(address);
        }
    }

    /// Looks for those who are down, and for those who should be there and are unheard of.
    fn search(&mut self) {
        let wait = self.config.search_interval().mul_f64(self.rng.random_range(0.9..1.1));
        self.timers.set(self.now + wait, Timer::Search);
        let down = self.swim.iter_membership_state().filter(|member| {
            member.state() == foca::State::Down && member.id().node != self.me.node
        });
        let down = down.map(|member| *member.id()).sample(&mut self.rng, SEARCHED);
        for identity in down {
            self.announce(identity);
        }
        let other = self.roster.active().choose(&mut self.rng).copied();
        if let Some(other) = other.filter(|_| self.is_short()) {
            self.announce(other);
            self.pull(other.gossip);
        }
    }

    fn is_short(&self) -> bool {
        self.roster.active().count() + 1 < self.expected
    }

    fn forget(&mut self, node: NodeId) {
        if self.roster.forget(node)
            && let Some(identity) = self.known(node)
        {
            self.swim_timer(foca::Timer::RemoveDown(identity));
        }
    }

    fn leave(&mut self) {
        // Each can only fail at writing a claim. Told three times, as any datagram may be lost.
        let _ = self.swim.leave_cluster(&mut self.outbox);
        for _ in 0..2 {
            let _ = self.swim.gossip(&mut self.outbox);
        }
        self.left = true;
    }
}

fn seen(entry: &roster::Entry, suspects: &BTreeSet<NodeId>) -> Option<Seen> {
    let member = entry.details.clone()?;
    let state = match entry.active {
        None => State::Down,
        Some(_) if suspects.contains(&member.node) => State::Suspect,
        Some(_) => State::Alive,
    };
    Some(Seen { member, state, last_seen: entry.last_seen })
}

#[cfg(test)]
mod tests;
