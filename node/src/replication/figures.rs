//! What replication counts.

use std::sync::atomic::{AtomicU64, Ordering};

use kvs_core::engine::Report;
use kvs_core::wire::Route;

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
    /// Bytes of questions, in the order of [`Route::ALL`]. Framing and TLS are not counted.
    pub sent: [AtomicU64; Route::ALL.len()],
    /// Bytes of their answers.
    pub received: [AtomicU64; Route::ALL.len()],
}

impl Figures {
    /// Counts a question that was answered.
    pub(super) fn asked(&self, route: Route, sent: usize, received: usize) {
        self.sent[route as usize].fetch_add(sent as u64, Ordering::Relaxed);
        self.received[route as usize].fetch_add(received as u64, Ordering::Relaxed);
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_a_place_of_its_own() {
        for (at, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(route as usize, at, "{}", route.name());
        }
    }
}
