//! The figures of SWIM, all from one setting.

use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

use foca::PeriodicParams;

use crate::seal;

/// What can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Time between two probes of a member, and the unit of all other times. Shorter finds failures
    /// sooner and sends more: idle, a node sends two datagrams of some 140 bytes in this time.
    pub gossip_interval: Duration,
    /// How many seeds there are.
    pub seeds: usize,
}

/// Largest datagram in bytes, sealed: fits the least packet that IPv6 promises (1,280 bytes), so that
/// none is ever split on its way.
pub const DATAGRAM: usize = 1_232;

/// How often a node repeats what it has learned. Epidemics stop early by chance: with 15 the chance
/// that one of 50 members never hears of a change is about 50 × e^-15, one in 65,000.
const REPEATS: NonZeroU8 = NonZeroU8::new(15).unwrap();

/// How many members are asked to probe one that does not answer, or are told news at once.
const FANOUT: NonZeroUsize = NonZeroUsize::new(3).unwrap();

impl Config {
    /// How often members that are down or missing are looked for. A healed partition is noticed by
    /// each node within this time.
    pub(super) fn search_interval(&self) -> Duration {
        (self.gossip_interval * 4).min(Duration::from_secs(10))
    }

    /// How soon a new member is asked who it is. By then many will have come along with it.
    pub(super) fn details_wait(&self) -> Duration {
        self.gossip_interval / 4
    }

    pub(super) fn swim(&self) -> foca::Config {
        let period = self.gossip_interval;
        foca::Config {
            probe_period: period,
            // The rest of the period is for those who are asked to try in our stead.
            probe_rtt: period * 2 / 5,
            num_indirect_probes: FANOUT,
            max_transmissions: REPEATS,
            // With a probe that falls due within 3 periods at 50 members and fails at the end of
            // the next, a crash is known after about 8, and a slow network has 4 to contradict.
            suspect_to_down_after: period * 4,
            // Who is forgotten is decided elsewhere, and never by time.
            remove_down_after: None,
            max_packet_size: const { NonZeroUsize::new(DATAGRAM - seal::OVERHEAD).unwrap() },
            notify_down_members: true,
            // Heals what no epidemic reached; costs some 45 bytes a second.
            periodic_announce: Some(PeriodicParams {
                frequency: period * 30,
                num_members: NonZeroUsize::MIN,
            }),
            // Looked for in `search`, which also works for a node that sees nobody.
            periodic_announce_to_down_members: None,
            // Only while there is news.
            periodic_gossip: Some(PeriodicParams { frequency: period / 5, num_members: FANOUT }),
        }
    }
}
