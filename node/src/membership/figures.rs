//! What is counted, and which refusals are logged.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kvs_core::seal::OpenError;
use tokio::time::Instant;

/// Figures of membership, for the metrics.
#[derive(Debug, Default)]
pub struct Figures {
    /// Datagrams that came, whatever they were.
    pub datagrams_in: AtomicU64,
    /// Their bytes, without what IP and UDP add.
    pub bytes_in: AtomicU64,
    /// Datagrams sent.
    pub datagrams_out: AtomicU64,
    /// Their bytes.
    pub bytes_out: AtomicU64,
    /// Datagrams that the system would not send.
    pub unsent: AtomicU64,
    /// Datagrams without effect, in the order of [`Refusal::ALL`].
    pub refused: [AtomicU64; Refusal::ALL.len()],
}

/// Why a datagram had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// See [`OpenError::TooShort`].
    TooShort,
    /// See [`OpenError::UnknownVersion`].
    UnknownVersion,
    /// See [`OpenError::UnknownKey`].
    UnknownKey,
    /// See [`OpenError::Forged`].
    Forged,
    /// See [`OpenError::Replayed`].
    Replayed,
    /// It was opened, and means nothing.
    Malformed,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::TooShort,
        Self::UnknownVersion,
        Self::UnknownKey,
        Self::Forged,
        Self::Replayed,
        Self::Malformed,
    ];

    /// The reason as metrics spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooShort => "too-short",
            Self::UnknownVersion => "unknown-version",
            Self::UnknownKey => "unknown-key",
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::Malformed => "malformed",
        }
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TooShort(_) => Self::TooShort,
            OpenError::UnknownVersion(_) => Self::UnknownVersion,
            OpenError::UnknownKey(_) => Self::UnknownKey,
            OpenError::Forged => Self::Forged,
            OpenError::Replayed { .. } => Self::Replayed,
        }
    }
}

impl Figures {
    /// How many datagrams were refused for this reason.
    pub fn refused(&self, why: Refusal) -> u64 {
        self.refused[why as usize].load(Ordering::Relaxed)
    }

    pub(super) fn received(&self, bytes: usize) {
        self.datagrams_in.fetch_add(1, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.datagrams_out.fetch_add(1, Ordering::Relaxed);
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, why: Refusal) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Refusals that are logged in a [`SPAN`]: whoever floods a node must not fill its disk.
const LINES: u32 = 10;

/// The span that these are counted over.
const SPAN: Duration = Duration::from_secs(10);

/// Logs refusals at a bounded rate.
#[derive(Debug)]
pub(super) struct RefusalLog {
    since: Instant,
    lines: u32,
    withheld: u64,
}

impl RefusalLog {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), lines: 0, withheld: 0 }
    }

    pub(super) fn log(&mut self, from: SocketAddr, why: Refusal, detail: &str) {
        if self.admits(Instant::now()) {
            let withheld = std::mem::take(&mut self.withheld);
            let why = why.name();
            tracing::warn!(%from, why, detail, withheld, "a datagram was refused");
        }
    }

    fn admits(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= SPAN {
            (self.since, self.lines) = (now, 0);
        }
        let admits = self.lines < LINES;
        self.lines += u32::from(admits);
        self.withheld += u64::from(!admits);
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_place_of_its_own() {
        for (at, why) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, at);
        }
    }

    #[test]
    fn a_flood_of_refusals_fills_ten_lines_in_ten_seconds() {
        let mut log = RefusalLog::new();
        let start = log.since;
        let logged = |log: &mut RefusalLog, now| (0..100).filter(|_| log.admits(now)).count();
        assert_eq!(logged(&mut log, start), 10);
        assert_eq!(logged(&mut log, start + SPAN.saturating_sub(Duration::from_millis(1))), 0);
        assert_eq!(log.withheld, 190);
        assert_eq!(logged(&mut log, start + SPAN), 10);
    }
}
