//! How much somebody may do in a time: what is taken comes back steadily, and all of it may be taken
//! at once.
//!
//! This is the generic cell rate algorithm. All that is kept of somebody is one number: when
//! everything they took will have come back. Time is any count of nanoseconds that never falls.
//!
//! Laws, property tests: nobody ever takes more than `limit` and what has come back since, a request
//! for more than `limit` apart, which is carried by what comes back after it; and whoever is refused
//! and waits for as long as they are told is not refused again.

use std::time::Duration;

/// `limit` units in a `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    limit: u32,
    window: Duration,
    /// Nanoseconds in which one unit comes back: rounded down, so never longer than promised.
    each: u64,
}

/// How somebody stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many units they may have at most.
    pub limit: u32,
    /// How many they may take now.
    pub remaining: u32,
    /// When they have all of them again.
    pub full_in: Duration,
}

/// Somebody takes more than they may. Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// How they stand.
    pub standing: Standing,
    /// When they may take as much.
    pub retry_in: Duration,
}

impl Quota {
    /// `limit` units in a `window`; at least one, and no more than one in a nanosecond.
    pub fn new(limit: u32, window: Duration) -> Self {
        let (limit, nanos) = (limit.max(1), nanos(window));
        Self { limit, window, each: (nanos / u64::from(limit)).max(1) }
    }

    /// How many units there are.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// In which time that many come back.
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// Takes `units` from somebody who has everything again at `full_at`: the new such time, and how
    /// they stand then. Who asks for more units than there are needs all of them, and has the rest
    /// come back first before there are any again.
    ///
    /// # Errors
    ///
    /// There are not as many.
    pub fn take(&self, full_at: u64, now: u64, units: u32) -> Result<(u64, Standing), Exceeded> {
        let needed = self.cost(units.min(self.limit));
        let taken = full_at.saturating_sub(now);
        let over = taken.saturating_add(needed).saturating_sub(self.cost(self.limit));
        if over > 0 {
            let retry_in = Duration::from_nanos(over);
            return Err(Exceeded { standing: self.standing(full_at, now), retry_in });
        }
        let full_at = now.saturating_add(taken).saturating_add(self.cost(units));
        Ok((full_at, self.standing(full_at, now)))
    }

    /// How somebody stands who has everything again at `full_at`.
    pub fn standing(&self, full_at: u64, now: u64) -> Standing {
        let taken = full_at.saturating_sub(now);
        let left = self.cost(self.limit).saturating_sub(taken) / self.each;
        let remaining = u32::try_from(left).unwrap_or(self.limit);
        Standing { limit: self.limit, remaining, full_in: Duration::from_nanos(taken) }
    }

    fn cost(&self, units: u32) -> u64 {
        self.each.saturating_mul(units.into())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn exactly_the_limit_is_taken_at_once_and_one_more_when_one_has_come_back() {
        let quota = Quota::new(10, Duration::from_secs(10));
        let mut full_at = 0;
        for left in (0..10).rev() {
            let (next, standing) = quota.take(full_at, 0, 1).unwrap();
            full_at = next;
            assert_eq!(standing.remaining, left);
        }
        let Exceeded { standing, retry_in } = quota.take(full_at, 0, 1).unwrap_err();
        let full_in = Duration::from_secs(10);
        assert_eq!(standing, Standing { limit: 10, remaining: 0, full_in });
        assert_eq!(retry_in, Duration::from_secs(1));
        assert!(quota.take(full_at, SECOND - 1, 1).is_err());
        let (full_at, _) = quota.take(full_at, SECOND, 1).unwrap();
        assert!(quota.take(full_at, SECOND, 1).is_err());
        assert_eq!(quota.standing(full_at, 100 * SECOND).remaining, 10);
    }

    #[test]
    fn several_units_are_taken_whole_or_not_at_all() {
        let quota = Quota::new(10, Duration::from_secs(10));
        let (full_at, standing) = quota.take(0, 0, 7).unwrap();
        assert_eq!(standing.remaining, 3);
        let exceeded = quota.take(full_at, 0, 4).unwrap_err();
        assert_eq!((exceeded.standing.remaining, exceeded.retry_in.as_secs()), (3, 1));
        assert_eq!(quota.take(full_at, 0, 3).unwrap().1.remaining, 0);
    }

    #[test]
    fn more_than_there_are_needs_all_of_them_and_is_owed() {
        let quota = Quota::new(10, Duration::from_secs(10));
        let (one_less, _) = quota.take(0, 0, 1).unwrap();
        assert_eq!(quota.take(one_less, 0, 25).unwrap_err().retry_in.as_secs(), 1);
        let (full_at, standing) = quota.take(0, 0, 25).unwrap();
        assert_eq!((standing.remaining, standing.full_in.as_secs()), (0, 25));
        assert_eq!(quota.take(full_at, 0, 1).unwrap_err().retry_in.as_secs(), 16);
        assert!(quota.take(full_at, 16 * SECOND, 1).is_ok());
    }

    #[test]
    fn the_greatest_limit_the_longest_window_and_the_most_units_do_not_overflow() {
        let day = Duration::from_hours(24);
        for quota in [Quota::new(1, day), Quota::new(u32::MAX, day), Quota::new(0, day)] {
            let (full_at, standing) = quota.take(u64::MAX - 1, u64::MAX - 1, u32::MAX).unwrap();
            assert_eq!((full_at, standing.remaining), (u64::MAX, quota.limit() - 1));
        }
        assert_eq!(Quota::new(u32::MAX, Duration::from_secs(1)).take(0, 0, 1).unwrap().0, 1);
    }

    proptest! {
        #[test]
        fn nobody_takes_more_than_the_limit_and_what_came_back(
            limit in 1u32..50,
            window in 1u64..100,
            steps in prop::collection::vec((0u64..20_000_000_000, 1u32..8), 1..60),
        ) {
            let quota = Quota::new(limit, Duration::from_secs(window));
            let (mut full_at, mut now, mut taken) = (0, 0, 0u64);
            for (later, units) in steps {
                now += later;
                let units = units.min(limit);
                match quota.take(full_at, now, units) {
                    Ok((next, _)) => {
                        full_at = next;
                        taken += u64::from(units);
                    }
                    Err(exceeded) => {
                        let then = now + nanos(exceeded.retry_in);
                        prop_assert!(quota.take(full_at, then, units).is_ok());
                        prop_assert!(quota.take(full_at, then - 1, units).is_err());
                    }
                }
                prop_assert!(taken <= u64::from(limit) + now / quota.each);
            }
        }
    }
}
