//! What was acknowledged: each key has one writer, and its values are numbers that only grow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keys of one writer. It comes back to a key after seconds only: two writes of one key within the
/// precision of the nodes' clocks are concurrent for them.
const KEYS: usize = 128;

/// One key.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) name: String,
    /// The last number that was sent.
    pub(super) tried: AtomicU64,
    /// The last number that was acknowledged.
    pub(super) acknowledged: AtomicU64,
}

/// All keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(pub(super) Vec<Arc<Entry>>);

impl Ledger {
    /// The keys of a writer, which come to be as it asks for them.
    pub(super) fn of_writer(&mut self, prefix: &str, writer: u32) -> Vec<Arc<Entry>> {
        (0..KEYS).map(|key| self.entry(format!("{prefix}/w{writer}/k{key}"))).collect()
    }

    fn entry(&mut self, name: String) -> Arc<Entry> {
        if let Some(known) = self.0.iter().find(|entry| entry.name == name) {
            return known.clone();
        }
        let entry = Arc::new(Entry { name, ..Entry::default() });
        self.0.push(entry.clone());
        entry
    }
}

impl Entry {
    /// The next number to write.
    pub(super) fn next(&self) -> u64 {
        self.tried.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(super) fn acknowledge(&self, number: u64) {
        self.acknowledged.store(number, Ordering::Release);
    }

    /// What a node may have: at least what was acknowledged, at most what was tried.
    pub(super) fn allowed(&self) -> std::ops::RangeInclusive<u64> {
        self.acknowledged.load(Ordering::Acquire)..=self.tried.load(Ordering::Acquire)
    }
}
