//! The hybrid logical clock: one per node, read only by the writer.
//!
//! Laws, each a property test below: stamps rise strictly; a stamp is never behind the wall clock
//! that was given; it is ahead of the greatest wall clock and stamp seen by no more than the number
//! of ticks.

use std::time::Duration;

use thiserror::Error;

use crate::stamp::{Stamp, UnixMillis};

/// A hybrid logical clock. Wall-clock time is always an argument.
#[derive(Clone, Debug)]
pub struct Clock {
    last: Stamp,
}

/// A peer's stamp lies further ahead of this node's wall clock than is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("stamped {ahead:?} ahead of this node's clock; at most {limit:?} is accepted")]
pub struct TooFarAhead {
    /// How far ahead of local time the stamp lies.
    pub ahead: Duration,
    /// What would have been accepted.
    pub limit: Duration,
}

impl Clock {
    /// A clock whose first stamp is after `floor`: the greatest stamp that may have been handed out
    /// before a restart.
    #[must_use]
    pub const fn after(floor: Stamp) -> Self {
        Self { last: floor }
    }

    /// The last stamp handed out or seen.
    pub const fn last(&self) -> Stamp {
        self.last
    }

    /// The stamp of a write at wall time `now` that replaces a version stamped `replaced`: after
    /// both, and after every stamp before it.
    pub fn tick(&mut self, now: UnixMillis, replaced: Option<Stamp>) -> Stamp {
        let seen = self.last.max(replaced.unwrap_or(Stamp::MIN));
        self.last = seen.next().max(Stamp::at(now));
        self.last
    }

    /// Moves the clock past a peer's stamp, so that what is written here next is newer than what
    /// was seen.
    ///
    /// # Errors
    ///
    /// The stamp is more than `limit` ahead of `now`; the clock then stays as it was.
    pub fn observe(
        &mut self,
        stamp: Stamp,
        now: UnixMillis,
        limit: Duration,
    ) -> Result<(), TooFarAhead> {
        if stamp.millis() > now.after(limit) {
            let ahead = Duration::from_millis(stamp.millis().0 - now.0);
            return Err(TooFarAhead { ahead, limit });
        }
        self.last = self.last.max(stamp);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Duration = Duration::from_mins(1);

    proptest! {
        #[test]
        fn stamps_rise_strictly_and_never_lag_the_wall_clock(
            walls in prop::collection::vec((0u64..1 << 47, prop::option::of(0u64..1 << 62)), 1..50)
        ) {
            let mut clock = Clock::after(Stamp::MIN);
            let mut greatest = 0u64;
            for (ticks, (wall, replaced)) in walls.into_iter().enumerate() {
                let before = clock.last();
                let stamp = clock.tick(UnixMillis(wall), replaced.map(Stamp::from_bits));
                prop_assert!(stamp > before);
                prop_assert!(stamp >= Stamp::at(UnixMillis(wall)));
                prop_assert!(replaced.is_none_or(|bits| stamp.bits() > bits));
                greatest = greatest.max(wall << 16).max(replaced.unwrap_or(0));
                prop_assert!(stamp.bits() <= greatest + ticks as u64 + 1);
            }
        }

        #[test]
        fn a_stamp_too_far_ahead_does_not_move_the_clock(now in 0u64..1 << 40, ahead in 0u64..200_000) {
            let mut clock = Clock::after(Stamp::at(UnixMillis(now)));
            let before = clock.last();
            let remote = Stamp::at(UnixMillis(now + ahead));
            let seen = clock.observe(remote, UnixMillis(now), LIMIT);
            prop_assert_eq!(seen.is_ok(), ahead <= 60_000);
            prop_assert_eq!(clock.last(), if seen.is_ok() { remote } else { before });
        }
    }
}
