//! Another process that claims to be this node.
//!
//! An earlier process of this node may still be spoken of, and a store set back to an old copy may
//! even meet claims of a later one. Neither of them claims anything new. So a claim that is no older
//! than this process is remembered, and only whoever goes on to claim more is a living twin.

use std::time::Duration;

use super::Membership;
use super::identity::Identity;
use super::member::Twin;
use super::message::{Effect, Event};

/// How long after its first claim a process must claim more to count as living: by then no word of
/// a dead one is on its way any more.
const PROOF: Duration = Duration::from_secs(2);

/// How long a twin counts as living after its last new claim.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The highest claim of another process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    claim: Identity,
    first_heard: Duration,
    /// When it was last known to live.
    alive: Option<Duration>,
}

impl Rival {
    /// Takes a claim into account; returns the twin if it has just been proven to live.
    pub(super) fn heard(rival: &mut Option<Self>, claim: Identity, now: Duration) -> Option<Twin> {
        let before = *rival.get_or_insert(Self { claim, first_heard: now, alive: None });
        if before.claim.boot != claim.boot && before.twin(now).is_none() {
            *rival = Some(Self { claim, first_heard: now, alive: None });
        }
        let rises = before.claim.boot == claim.boot && before.claim.incarnation < claim.incarnation;
        if !rises {
            return None;
        }
        let alive = if now < before.first_heard + PROOF { before.alive } else { Some(now) };
        *rival = Some(Self { claim, alive, ..before });
        rival.as_ref()?.twin(now).filter(|_| before.twin(now).is_none())
    }

    /// The same, for a process that this node has spoken with: it lives.
    pub(super) fn met(rival: &mut Option<Self>, claim: Identity, now: Duration) -> Option<Twin> {
        let known = rival.and_then(|rival| rival.twin(now));
        let new = Self { claim, first_heard: now, alive: Some(now) };
        *rival = Some(new);
        new.twin(now).filter(|twin| known.is_none_or(|known| known.boot != twin.boot))
    }

    /// The twin, while it counts as living.
    pub(super) fn twin(&self, now: Duration) -> Option<Twin> {
        let alive = self.alive.is_some_and(|alive| now < alive + REMEMBERED);
        alive.then_some(Twin { boot: self.claim.boot, gossip: self.claim.gossip })
    }
}

impl Membership {
    /// SWIM keeps the highest claim of another process to this node's id as if it were a member.
    pub(super) fn look_for_rival(&mut self) {
        if let Some(claim) = self.known(self.me.node) {
            self.claimed(claim);
        }
    }

    /// Somebody claims to be this node, or speaks of one who does.
    pub(super) fn claimed(&mut self, claim: Identity) {
        if claim.boot == self.me.boot || claim.incarnation < self.first {
            return;
        }
        let twin = Rival::heard(&mut self.rival, claim, self.now);
        self.tell_of(twin);
        if claim.incarnation >= self.me.incarnation {
            self.outbid(claim);
        }
    }

    pub(super) fn tell_of(&mut self, twin: Option<Twin>) {
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
}
