//! Changes that happen together or not at all.

use std::ops::Range;

use super::Column;

/// Changes of each column, in order. Keys and values lie in one buffer, so that a batch of thousands
/// of rows costs a handful of allocations.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    buffer: Vec<u8>,
    changes: [Vec<Slots>; Column::ALL.len()],
}

#[derive(Clone, Debug)]
struct Slots {
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
        self.changes[column as usize].push(Slots { key, value });
    }

    /// Deletes a row. In a column that is [`Column::written_once`] the row must be there.
    pub fn delete(&mut self, column: Column, key: &[u8]) {
        let key = self.store(key);
        self.changes[column as usize].push(Slots { key, value: None });
    }

    /// The changes of a column in their order.
    pub fn changes(&self, column: Column) -> impl Iterator<Item = Change<'_>> {
        self.changes[column as usize].iter().map(|slots| {
            let key = &self.buffer[slots.key.clone()];
            match &slots.value {
                Some(value) => Change::Put(key, &self.buffer[value.clone()]),
                None => Change::Delete(key),
            }
        })
    }

    /// Whether there is no change in it.
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(Vec::is_empty)
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
