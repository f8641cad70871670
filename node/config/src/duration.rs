//! Durations as people write them: `100ms`, `30s`, `1h`, `7d`.

use crate::quantity::{Kind, quantity};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

static KIND: Kind = Kind {
    noun: "duration",
    units: &[("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)],
    listed: "ms, s, m, h or d",
    bare: "s",
    example: "30s",
    // A hundred years: added to any time of day it stays far below the 48 bits of a stamp.
    max: 36_500 * DAY,
};

/// A whole number of milliseconds, at most a hundred years.
///
/// Written as a whole number and one of the units `ms`, `s`, `m`, `h` and `d`. `Display` uses
/// the greatest unit that divides it (`720h` shows as `30d`), and reading that text back gives
/// the same duration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

quantity!(Duration, KIND, "a duration such as 30s", "^[0-9]+(ms|s|m|h|d)$");

impl Duration {
    /// The longest duration that can be written.
    pub const MAX: Self = Self(36_500 * DAY);

    /// `count` milliseconds.
    pub const fn millis(count: u32) -> Self {
        Self(count as u64)
    }

    /// `count` seconds.
    pub const fn seconds(count: u16) -> Self {
        Self(count as u64 * SECOND)
    }

    /// `count` minutes.
    pub const fn minutes(count: u16) -> Self {
        Self(count as u64 * MINUTE)
    }

    /// `count` hours.
    pub const fn hours(count: u16) -> Self {
        Self(count as u64 * HOUR)
    }

    /// `count` days.
    pub const fn days(count: u8) -> Self {
        Self(count as u64 * DAY)
    }

    /// The duration in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        Self::from_millis(duration.0)
    }
}
