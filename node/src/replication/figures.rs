//! What replication counts.

use std::sync::atomic::{AtomicU64, Ordering};

use kvs_core::engine::Report;

/// Figures of replication, as the side that asks: what a peer asks is in that peer's figures.
#[derive(Debug, Default)]
pub struct Figures {
    /// Comparisons that came to their end: both sides then held the same.
    pub comparisons: AtomicU64,
    /// Records that differed.
    pub differing: AtomicU64,
    /// Versions that the peer lacked.
    pub pushed: AtomicU64,
    /// Versions that this node lacked.
    pub fetched: AtomicU64,
}

impl Figures {
    /// Counts what the engine reports.
    pub(super) fn note(&self, report: &Report) {
        if let Report::Repaired { counts, .. } = report {
            self.differing.fetch_add(counts.differing, Ordering::Relaxed);
            self.pushed.fetch_add(counts.pushed, Ordering::Relaxed);
            self.fetched.fetch_add(counts.fetched, Ordering::Relaxed);
        }
    }

    /// Counts a comparison that came to its end.
    pub(super) fn agreed(&self) {
        self.comparisons.fetch_add(1, Ordering::Relaxed);
    }
}
