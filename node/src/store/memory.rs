//! A store in memory: for tests and simulations.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Batch, Cached, Change, Column, Cursor, Flush, OwnedRow, Read, Row, Store, StoreError};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Columns as maps. A snapshot shares them until the next write, which then copies.
#[derive(Debug, Default)]
pub struct MemoryStore {
    columns: RwLock<Arc<Columns>>,
}

#[derive(Clone, Debug, Default)]
struct Columns {
    rows: BTreeMap<Column, Rows>,
    sequence: u64,
}

impl MemoryStore {
    fn now(&self) -> Arc<Columns> {
        // Poison means a panic elsewhere; the maps themselves are whole.
        self.columns.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Store for MemoryStore {
    fn write(&self, batch: &Batch, _flush: Flush) -> Result<(), StoreError> {
        let mut shared = self.columns.write().unwrap_or_else(PoisonError::into_inner);
        let columns = Arc::make_mut(&mut shared);
        for column in Column::ALL {
            let rows = columns.rows.entry(column).or_default();
            for change in batch.changes(column) {
                match change {
                    Change::Put(key, value) => rows.insert(key.to_vec(), value.to_vec()),
                    Change::Delete(key) => rows.remove(key),
                };
                columns.sequence += 1;
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn snapshot(&self) -> Box<dyn Read + '_> {
        Box::new(self.now())
    }

    fn get_cached(&self, column: Column, key: &[u8]) -> Result<Cached, StoreError> {
        self.get(column, key).map(Cached::Known)
    }

    fn sequence(&self) -> u64 {
        self.now().sequence
    }

    fn sizes(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

impl Read for MemoryStore {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.now().get(column, key)
    }

    fn cursor<'a>(&'a self, column: Column, start: &[u8], end: &[u8]) -> Box<dyn Cursor + 'a> {
        Box::new(MemoryCursor::new(self.now(), column, start, end))
    }

    fn last(&self, column: Column) -> Result<Option<OwnedRow>, StoreError> {
        self.now().last(column)
    }
}

impl Read for Arc<Columns> {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows.get(&column).and_then(|rows| rows.get(key)).cloned())
    }

    fn cursor<'a>(&'a self, column: Column, start: &[u8], end: &[u8]) -> Box<dyn Cursor + 'a> {
        Box::new(MemoryCursor::new(self.clone(), column, start, end))
    }

    fn last(&self, column: Column) -> Result<Option<OwnedRow>, StoreError> {
        let last = self.rows.get(&column).and_then(Rows::last_key_value);
        Ok(last.map(|(key, value)| (key.clone(), value.clone())))
    }
}

struct MemoryCursor {
    columns: Arc<Columns>,
    column: Column,
    start: Vec<u8>,
    /// The least key that may come next.
    next: Vec<u8>,
    end: Vec<u8>,
}

impl MemoryCursor {
    fn new(columns: Arc<Columns>, column: Column, start: &[u8], end: &[u8]) -> Self {
        Self { columns, column, start: start.to_vec(), next: start.to_vec(), end: end.to_vec() }
    }
}

impl Cursor for MemoryCursor {
    fn next(&mut self) -> Result<Option<Row<'_>>, StoreError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let range = self.next.clone()..self.end.clone();
        let row = self.columns.rows.get(&self.column).and_then(|rows| rows.range(range).next());
        if let Some((key, _)) = row {
            self.next.clone_from(key);
            self.next.push(0);
        }
        Ok(row.map(|(key, value)| (key.as_slice(), value.as_slice())))
    }

    fn seek(&mut self, key: &[u8]) {
        self.next = key.max(&self.start).to_vec();
    }
}
