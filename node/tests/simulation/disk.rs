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
        let (next, end) = (start.to_vec(), end.to_vec());
        Box::new(Rows { disk: self, column, next, end, read: Vec::new(), at: 0 })
    }

    fn last(&self, column: Column) -> Result<Option<OwnedRow>, StoreError> {
        self.live.read().unwrap().last(column)
    }
}

/// The rows of a range, read some at a time: nothing else writes meanwhile.
struct Rows<'a> {
    disk: &'a Disk,
    column: Column,
    /// Where the next rows are read from.
    next: Vec<u8>,
    end: Vec<u8>,
    read: Vec<OwnedRow>,
    at: usize,
}

impl Rows<'_> {
    fn read_on(&mut self) {
        let live = self.disk.live.read().unwrap();
        let mut rows = live.cursor(self.column, &self.next, &self.end);
        self.read.clear();
        self.at = 0;
        while self.read.len() < 64
            && let Some((key, value)) = rows.next().unwrap()
        {
            self.read.push((key.to_vec(), value.to_vec()));
        }
        if let Some((key, _)) = self.read.last() {
            self.next = [key.as_slice(), &[0]].concat();
        }
    }
}

impl Cursor for Rows<'_> {
    fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, StoreError> {
        if self.at == self.read.len() {
            self.read_on();
        }
        let row = self.read.get(self.at);
        self.at += 1;
        self.at = self.at.min(self.read.len());
        Ok(row.map(|(key, value)| (key.as_slice(), value.as_slice())))
    }

    fn seek(&mut self, key: &[u8]) {
        self.next = key.to_vec();
        self.read.clear();
        self.at = 0;
    }
}
