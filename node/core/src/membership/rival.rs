//! Another process that claims to be this node.
//!
//! An earlier process of this node may still be spoken of, and a store set back to an old copy may
//! even meet claims of a later one. Neither of them answers. So this node claims a higher
//! incarnation, and only whoever then claims a higher one again is a living twin.

use std::time::Duration;

use super::identity::Identity;
use super::member::{Incarnation, Twin};

/// How long a twin counts as living after its last claim.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The latest claim of another process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    claim: Identity,
    is_alive: bool,
    last: Duration,
}

impl Rival {
    /// Takes a claim into account that this node must outbid; returns the twin if it has just been
    /// proven to live.
    pub(super) fn note(rival: &mut Option<Self>, claim: Identity, now: Duration) -> Option<Twin> {
        let before = rival.filter(|rival| rival.claim.boot == claim.boot);
        let rises = before.is_some_and(|before| claim.incarnation > before.claim.incarnation);
        let highest = before.map_or(claim.incarnation, |before| before.highest(claim));
        let known = before.and_then(|before| before.twin(now));
        let is_alive = rises || known.is_some();
        let last = if rises { now } else { before.map_or(now, |before| before.last) };
        let claim = Identity { incarnation: highest, ..claim };
        *rival = Some(Self { claim, is_alive, last });
        rival.as_ref()?.twin(now).filter(|_| known.is_none())
    }

    /// The same, for a process that this node has spoken with: it lives.
    pub(super) fn met(rival: &mut Option<Self>, claim: Identity, now: Duration) -> Option<Twin> {
        let known = rival.and_then(|rival| rival.twin(now));
        let highest = rival.map_or(claim.incarnation, |rival| rival.highest(claim));
        let claim = Identity { incarnation: highest, ..claim };
        *rival = Some(Self { claim, is_alive: true, last: now });
        rival.as_ref()?.twin(now).filter(|twin| known.is_none_or(|known| known.boot != twin.boot))
    }

    /// The twin, while it counts as living.
    pub(super) fn twin(&self, now: Duration) -> Option<Twin> {
        let fresh = self.is_alive && now < self.last + REMEMBERED;
        fresh.then_some(Twin { boot: self.claim.boot, gossip: self.claim.gossip })
    }

    fn highest(&self, claim: Identity) -> Incarnation {
        self.claim.incarnation.max(claim.incarnation)
    }
}
