//! Times and spans as people read them.

use jiff::Timestamp;

/// A point in time in UTC, to the millisecond.
pub(super) fn utc(millis: u64) -> String {
    let timestamp = i64::try_from(millis).ok().map(Timestamp::from_millisecond);
    match timestamp {
        Some(Ok(timestamp)) => format!("{timestamp:.3}"),
        _ => format!("{millis} ms"),
    }
}

/// A span in its two greatest units.
pub(super) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, ..) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}
