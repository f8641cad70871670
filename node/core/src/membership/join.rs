//! How nodes find each other: through seeds at first, then whoever was lost.

use std::net::SocketAddr;

use rand::RngExt as _;
use rand::seq::IteratorRandom as _;

use super::identity::Identity;
use super::member::Member;
use super::message::Effect;
use super::rival::Rival;
use super::timers::Timer;
use super::{Membership, seeds};

/// Pulls that may be under way at a time. More are asked for again later.
const PULLS: usize = 8;

/// Members looked for at a time that are down.
const SEARCHED: usize = 2;

impl Membership {
    pub(super) fn isolated(&mut self) {
        self.seeds.begin_again(self.now);
        for seed in 0..self.seeds.len() {
            self.resolve(seed);
        }
    }

    pub(super) fn resolve(&mut self, seed: usize) {
        if self.seeds.take_due(seed, self.now) {
            self.effects.push(Effect::Resolve { seed });
        }
    }

    pub(super) fn resolved(&mut self, seed: usize, addresses: Vec<SocketAddr>) {
        let all = self.seeds.is_eager(seed) || !self.joined || self.is_short();
        let asked = addresses
            .into_iter()
            .filter(|address| *address != self.me.gossip && (all || !self.roster.is_at(*address)));
        for address in asked.sample(&mut self.rng, seeds::ASKED) {
            self.pull(address);
        }
        if let Some(due) = self.seeds.resolved(seed, self.now, &mut self.rng) {
            self.timers.set(due, Timer::Seed(seed));
        }
    }

    /// Asks those of whom nothing is known yet.
    pub(super) fn hinted(&mut self, addresses: Vec<SocketAddr>) {
        let unknown = addresses
            .into_iter()
            .filter(|address| *address != self.me.gossip && !self.roster.is_at(*address));
        for address in unknown.sample(&mut self.rng, seeds::ASKED) {
            self.pull(address);
        }
    }

    pub(super) fn pull(&mut self, from: SocketAddr) {
        if self.pulling.len() < PULLS && self.pulling.insert(from) {
            self.effects.push(Effect::Pull { from });
        }
    }

    pub(super) fn ask(&mut self, other: Identity) {
        if self.now >= self.ask_next {
            self.ask_next = self.now + self.config.gossip_interval;
            self.pull(other.gossip);
        }
    }

    /// Asks less and less often while it is in vain: not everybody whose datagrams come can be
    /// connected to.
    pub(super) fn pull_failed(&mut self, from: SocketAddr) {
        self.pulling.remove(&from);
        self.details_wait = (self.details_wait * 2).min(self.config.search_interval());
    }

    pub(super) fn pulled(&mut self, from: SocketAddr, members: Vec<Member>) {
        self.pulling.remove(&from);
        self.details_wait = self.config.details_wait();
        let (mine, others): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| member.node == self.me.node);
        // Whoever knows nobody learns what all others know.
        let is_news = self.roster.active().next().is_some();
        let claims: Vec<_> = others.iter().map(Member::identity).collect();
        // The address may have been one that stands for many.
        let asked = claims.iter().find(|claim| claim.gossip == from).or(claims.first()).copied();
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

    pub(super) fn met(&mut self, member: Member) {
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

    pub(super) fn plan_details(&mut self) {
        if !self.details_due && self.roster.lacking().next().is_some() {
            self.details_due = true;
            let wait = self.details_wait.mul_f64(self.rng.random_range(0.5..1.5));
            self.timers.set(self.now + wait, Timer::Details);
        }
    }

    /// One who lacks many most likely lacks them together with the one who is asked.
    pub(super) fn pull_details(&mut self) {
        self.details_due = false;
        let lacking = self.roster.lacking().map(|identity| identity.gossip);
        for address in lacking.sample(&mut self.rng, 2) {
            self.pull(address);
        }
    }

    /// Looks for those who are down, and for those who should be there and are unheard of.
    pub(super) fn search(&mut self) {
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
}
