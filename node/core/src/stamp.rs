//! When something was written.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time in milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The point `duration` later. Stops at the greatest point a [`Stamp`] can hold.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis).min(Stamp::MAX_MILLIS))
    }

    /// The point `duration` earlier, or the epoch.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A reading of a hybrid logical clock: 48 bits of Unix milliseconds, then a 16-bit counter that
/// tells writes of one millisecond apart. Stamps compare as numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamp(u64);

impl Stamp {
    /// The least stamp; nothing is ever written at it.
    pub const MIN: Self = Self(0);
    /// The greatest stamp.
    pub const MAX: Self = Self(u64::MAX);
    /// The greatest millisecond a stamp can hold (in the year 10889).
    pub const MAX_MILLIS: u64 = (1 << 48) - 1;

    /// The first stamp of a millisecond. Milliseconds above [`Self::MAX_MILLIS`] are cut to it.
    #[must_use]
    pub fn at(millis: UnixMillis) -> Self {
        Self(millis.0.min(Self::MAX_MILLIS) << 16)
    }

    /// The stamp whose 64 bits are `bits`.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The 64 bits: milliseconds above, counter below.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The milliseconds: what clients see as `timestamp`.
    pub const fn millis(self) -> UnixMillis {
        UnixMillis(self.0 >> 16)
    }

    /// The counter within the millisecond.
    pub const fn counter(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    /// The next stamp; a full counter carries into the milliseconds.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stamp({}+{})", self.millis(), self.counter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_counter_carries_into_the_milliseconds() {
        let full = Stamp::from_bits((7 << 16) | 0xffff);
        assert_eq!(full.next(), Stamp::at(UnixMillis(8)));
    }

    #[test]
    fn later_than_the_format_holds_is_cut_to_its_end() {
        assert_eq!(Stamp::at(UnixMillis(u64::MAX)).millis(), UnixMillis(Stamp::MAX_MILLIS));
        assert_eq!(UnixMillis(5).after(Duration::MAX), UnixMillis(Stamp::MAX_MILLIS));
    }
}
