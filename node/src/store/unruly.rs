//! A store in memory that misbehaves as a test tells it to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{Batch, Cached, Column, Cursor, Flush, MemoryStore, OwnedRow, Read, Store, StoreError};

/// What was written, and what readers see of it.
#[derive(Debug, Default)]
pub(crate) struct Unruly {
    written: MemoryStore,
    seen: MemoryStore,
    readers_are_behind: AtomicBool,
    panics: AtomicBool,
    syncs: AtomicUsize,
    syncs_to_fail: AtomicUsize,
}

impl Unruly {
    /// From now on readers see nothing new. The writer still does.
    pub(crate) fn leave_readers_behind(&self) {
        self.readers_are_behind.store(true, Ordering::SeqCst);
    }

    /// The next write panics.
    pub(crate) fn panic_at_the_next_write(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    /// The next `count` syncs fail.
    pub(crate) fn fail_syncs(&self, count: usize) {
        self.syncs_to_fail.store(count, Ordering::SeqCst);
    }

    /// How many syncs did not fail.
    pub(crate) fn syncs(&self) -> usize {
        self.syncs.load(Ordering::SeqCst)
    }
}

impl Store for Unruly {
    fn write(&self, batch: &Batch, flush: Flush) -> Result<(), StoreError> {
        assert!(!self.panics.load(Ordering::SeqCst), "a write that the test wants to panic");
        if !self.readers_are_behind.load(Ordering::SeqCst) {
            self.seen.write(batch, flush)?;
        }
        self.written.write(batch, flush)
    }

    fn sync(&self) -> Result<(), StoreError> {
        let one_less = |count: usize| count.checked_sub(1);
        if self.syncs_to_fail.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Err(StoreError::Failed("a sync that the test wants to fail".into()));
        }
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn snapshot(&self) -> Box<dyn Read + '_> {
        self.seen.snapshot()
    }

    fn get_cached(&self, column: Column, key: &[u8]) -> Result<Cached, StoreError> {
        self.seen.get_cached(column, key)
    }

    fn sequence(&self) -> u64 {
        self.written.sequence()
    }

    fn sizes(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

impl Read for Unruly {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.written.get(column, key)
    }

    fn cursor<'a>(&'a self, column: Column, start: &[u8], end: &[u8]) -> Box<dyn Cursor + 'a> {
        self.written.cursor(column, start, end)
    }

    fn last(&self, column: Column) -> Result<Option<OwnedRow>, StoreError> {
        self.written.last(column)
    }
}
