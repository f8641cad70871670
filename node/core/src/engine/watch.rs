//! Whether the own wall clock can be trusted.
//!
//! What peers would refuse must not be accepted here, so a node whose clock is ahead gives out no
//! stamps. Two things tell: peers, whose clocks it is compared with, and time itself, which no clock
//! setting moves.

use std::time::Duration;

use super::{Engine, Now};
use crate::stamp::Stamp;

/// Of the drift that peers accept, how much a node allows its own clock.
const SHARE: u32 = 4;

/// A wall clock, watched.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// Where the clock stood when it was last known to be right, or at the start.
    base: Now,
    /// How far it was ahead of its peers then, in milliseconds.
    ahead: i64,
    /// How far ahead it may be, in milliseconds.
    limit: i64,
    /// Whether anybody was asked yet.
    compared: bool,
}

/// The own clock is ahead: nothing is stamped until it is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node's clock is {ahead:?} ahead; at most {limit:?} is allowed")]
pub struct ClockAhead {
    /// How far.
    pub ahead: Duration,
    /// How far it may be.
    pub limit: Duration,
}

impl Watch {
    /// Trusts the clock as it stands now.
    #[must_use]
    pub fn new(now: Now, max_clock_drift: Duration) -> Self {
        let limit = i64::try_from((max_clock_drift / SHARE).as_millis()).unwrap_or(i64::MAX);
        Self { base: now, ahead: 0, limit, compared: false }
    }

    /// Takes what the peers say: that the clock is so much ahead of theirs. One that is behind counts
    /// as right: the peers may be wrong, and must not excuse a later jump.
    pub fn measured(&mut self, now: Now, ahead: i64) {
        self.base = now;
        self.ahead = ahead.max(0);
        self.compared = true;
    }

    /// How far the clock is ahead, in milliseconds, as far as is known.
    pub fn ahead(&self, now: Now) -> i64 {
        let passed = now.running.saturating_sub(self.base.running);
        let expected = self.base.wall.after(passed);
        let jumped = i128::from(now.wall.0) - i128::from(expected.0);
        i64::try_from(i128::from(self.ahead) + jumped).unwrap_or(i64::MAX)
    }

    /// Whether the clock may be stamped by.
    ///
    /// # Errors
    ///
    /// It is ahead.
    pub fn check(&self, now: Now) -> Result<(), ClockAhead> {
        let ahead = self.ahead(now);
        if ahead <= self.limit {
            return Ok(());
        }
        let millis = |millis: i64| Duration::from_millis(millis.unsigned_abs());
        Err(ClockAhead { ahead: millis(ahead), limit: millis(self.limit) })
    }
}

impl Engine {
    /// The watch on the own clock: what clients' writes must pass.
    pub const fn watch(&self) -> Watch {
        self.watch
    }

    /// Compares the own clock with those that can be reached.
    pub(super) fn watch_clock(&mut self, now: Now) {
        if let Some(ahead) = self.ahead_of_peers(now) {
            self.watch.measured(now, ahead);
        } else if self.is_alone() {
            // Nobody could refuse what it stamps.
            self.watch.measured(now, 0);
        }
    }

    /// How far the own clock is ahead of the median of those that were met, in milliseconds.
    pub(super) fn ahead_of_peers(&self, now: Now) -> Option<i64> {
        let met = self.peers.values().filter(|peer| peer.hello.is_some());
        let mut offsets: Vec<i64> = met.filter_map(|peer| peer.offset(now)).collect();
        offsets.sort_unstable();
        // Of an even number the one that is further behind: when in doubt, nothing is stamped.
        offsets.get(offsets.len().saturating_sub(1) / 2).map(|median| median.saturating_neg())
    }

    /// The wall clock as a stamp, if it was compared with others and can be trusted.
    pub(super) fn trusted(&self, now: Now) -> Option<Stamp> {
        (self.watch.compared && self.watch.check(now).is_ok()).then(|| Stamp::at(now.wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::UnixMillis;

    const LIMIT: Duration = Duration::from_mins(1);

    fn now(wall: u64, running: u64) -> Now {
        Now { wall: UnixMillis(wall), running: Duration::from_millis(running) }
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_not_trusted_until_it_jumps_back() {
        let watch = Watch::new(now(1_000_000, 0), LIMIT);
        assert_eq!(watch.check(now(1_015_500, 500)), Ok(()));
        let refused = watch.check(now(1_015_501, 500)).unwrap_err();
        assert_eq!(refused.ahead, Duration::from_millis(15_001));
        assert_eq!(watch.check(now(1_001_000, 1_000)), Ok(()));
    }

    #[test]
    fn a_clock_that_falls_behind_is_stamped_by_all_the_same() {
        let watch = Watch::new(now(1_000_000, 0), LIMIT);
        assert_eq!(watch.check(now(0, 500)), Ok(()));
    }

    #[test]
    fn what_peers_say_counts_until_they_say_something_else() {
        let mut watch = Watch::new(now(1_000_000, 0), LIMIT);
        watch.measured(now(1_000_500, 500), 20_000);
        assert_eq!(watch.ahead(now(1_001_000, 1_000)), 20_000);
        assert!(watch.check(now(1_001_000, 1_000)).is_err());
        watch.measured(now(1_001_000, 1_000), -20_000);
        assert_eq!(watch.check(now(1_001_500, 1_500)), Ok(()));
        assert!(watch.check(now(1_021_500, 1_500)).is_err(), "peers do not excuse a jump");
    }
}
