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
mod join;
mod member;
mod message;
mod rival;
mod roster;
mod seeds;
mod swim;
mod timers;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use foca::{AccumulatingRuntime, Foca, NoCustomBroadcast};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

pub use self::config::{Config, DATAGRAM};
pub use self::member::{BootId, Incarnation, Member, Seen, State, Twin};
pub use self::message::{Effect, Event, Input};

use self::codec::Wire;
use self::identity::Identity;
use self::rival::Rival;
use self::roster::Roster;
use self::seeds::Seeds;
use self::timers::{Timer, Timers};
use crate::NodeId;

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
    details_wait: Duration,
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
            details_wait: config.details_wait(),
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
        members
            .sort_by(|a, b| (&a.member.name, a.member.node).cmp(&(&b.member.name, b.member.node)));
        members
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Wake => self.wake(),
            Input::Datagram { from, payload } => self.datagram(from, &payload),
            Input::Resolved { seed, addresses } => self.resolved(seed, addresses),
            Input::Hint(addresses) => self.hinted(addresses),
            Input::Pulled { from, members } => self.pulled(from, members),
            Input::PullFailed { from } => self.pull_failed(from),
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
