//! Changes that happen together or not at all.

use std::ops::Range;

use super::Column;

/// An ordered list of changes. Keys and values lie in one buffer, so that a batch of thousands of
/// rows costs a handful of allocations.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    buffer: Vec<u8>,
    changes: Vec<Slots>,
}

#[derive(Clone, Debug)]
struct Slots {
    column: Column,
    key: Range<usize>,
    /// Nothing: the row is deleted.
    value: Option<Range<usize>>,
}

/// One change of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The row gets this value.
    Put(&'a [u8], &'a [u8]),
    /// The row goes.
    Delete(&'a [u8]),
}

impl<'a> Change<'a> {
    /// The row that is changed.
    pub const fn key(&self) -> &'a [u8] {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }
}

impl Batch {
    /// Puts a row.
    pub fn put(&mut self, column: Column, key: &[u8], value: &[u8]) {
        let key = self.store(key);
        let value = Some(self.store(value));
        self.changes.push(Slots { column, key, value });
    }

    /// Deletes a row. In a column that is [`Column::written_once`] the row must be there.
    pub fn delete(&mut self, column: Column, key: &[u8]) {
        let key = self.store(key);
        self.changes.push(Slots { column, key, value: None });
    }

    /// The changes in their order.
    pub fn changes(&self) -> impl Iterator<Item = (Column, Change<'_>)> {
        self.changes.iter().map(|slots| {
            let key = &self.buffer[slots.key.clone()];
            let change = match &slots.value {
                Some(value) => Change::Put(key, &self.buffer[value.clone()]),
                None => Change::Delete(key),
            };
            (slots.column, change)
        })
    }

    /// Whether there is no change in it.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many bytes the keys and values have.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    fn store(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        start..self.buffer.len()
    }
}
