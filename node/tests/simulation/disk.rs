//! A store that forgets at a crash what was not brought to disk.

use std::sync::{Mutex, PoisonError, RwLock};

use kvs_node::store::{
    Batch, Cached, Column, Cursor, Flush, MemoryStore, OwnedRow, Read, Store, StoreError,
};

/// What is visible, what is on disk, and what lies between.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    live: RwLock<MemoryStore>,
    synced: Mutex<Synced>,
}

#[derive(Debug, Default)]
struct Synced {
    rows: MemoryStore,
    pending: Vec<Batch>,
}

impl Disk {
    /// Loses what was not synced but for the first `kept` batches of it.
    pub(crate) fn crash(&self, kept: usize) {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = std::mem::take(&mut synced.pending);
        for batch in pending.iter().take(kept) {
            synced.rows.write(batch, Flush::Synced).unwrap();
        }
        *self.live.write().unwrap() = copy(&synced.rows);
    }

    /// How many batches a crash could take.
    pub(crate) fn pending(&self) -> usize {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).pending.len()
    }

    /// What is on it whatever happens.
    pub(crate) fn synced(&self, column: Column, key: &[u8]) -> Option<Vec<u8>> {
        self.synced.lock().unwrap().rows.get(column, key).unwrap()
    }

    /// Everything as it is now, on a disk of its own.
    pub(crate) fn image(&self) -> Self {
        let live = self.live.read().unwrap();
        let synced = Synced { rows: copy(&live), pending: Vec::new() };
        Self { live: RwLock::new(copy(&live)), synced: Mutex::new(synced) }
    }
}

fn copy(from: &MemoryStore) -> MemoryStore {
    let mut batch = Batch::default();
    for column in Column::ALL {
        let mut rows = from.cursor(column, &[], &[0xff; 40]);
        while let Some((key, value)) = rows.next().unwrap() {
            batch.put(column, key, value);
        }
    }
    let to = MemoryStore::default();
    to.write(&batch, Flush::Synced).unwrap();
    to
}

impl Store for Disk {
    fn write(&self, batch: &Batch, flush: Flush) -> Result<(), StoreError> {
        self.live.read().unwrap().write(batch, flush)?;
        self.synced.lock().unwrap().pending.push(batch.clone());
        if flush == Flush::Synced { self.sync() } else { Ok(()) }
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut synced = self.synced.lock().unwrap();
        for batch in std::mem::take(&mut synced.pending) {
            synced.rows.write(&batch, Flush::Synced)?;
        }
        Ok(())
    }

    fn snapshot(&self) -> Box<dyn Read + '_> {
        Box::new(copy(&self.live.read().unwrap()))
    }

    fn get_cached(&self, column: Column, key: &[u8]) -> Result<Cached, StoreError> {
        self.get(column, key).map(Cached::Known)
    }

    fn sequence(&self) -> u64 {
        self.live.read().unwrap().sequence()
    }

    fn sizes(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

impl Read for Disk {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.live.read().unwrap().get(column, key)
    }

    fn cursor<'a>(&'a self, column: Column, start: &[u8], end: &[u8]) -> Box<dyn Cursor + 'a> {
        let live = self.live.read().unwrap();
        let mut rows = live.cursor(column, start, end);
        let mut found = Vec::new();
        while let Some((key, value)) = rows.next().unwrap() {
            found.push((key.to_vec(), value.to_vec()));
        }
        Box::new(Rows { rows: found, at: 0 })
    }

    fn last(&self, column: Column) -> Result<Option<OwnedRow>, StoreError> {
        self.live.read().unwrap().last(column)
    }
}

/// The rows of a range, read at once: nothing else runs meanwhile.
struct Rows {
    rows: Vec<OwnedRow>,
    at: usize,
}

impl Cursor for Rows {
    fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, StoreError> {
        let row = self.rows.get(self.at);
        self.at += 1;
        Ok(row.map(|(key, value)| (key.as_slice(), value.as_slice())))
    }

    fn seek(&mut self, key: &[u8]) {
        self.at = self.rows.partition_point(|(row, _)| row.as_slice() < key);
    }
}
