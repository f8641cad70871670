//! Where rows lie: ordered columns, written in atomic batches.
//!
//! The trait knows nothing of versions; [`crate::records`] and [`crate::writer`] do. Two
//! implementations, held to one suite (`store/contract.rs`): [`RocksStore`] on disk, and
//! [`MemoryStore`] for tests and simulation.

mod batch;
mod column;
#[cfg(test)]
mod contract;
mod error;
mod lock;
mod memory;
mod rocks;
pub mod rows;
mod sweep;
#[cfg(test)]
mod unruly;
mod wal;

use std::fmt;

pub use batch::{Batch, Change};
pub use column::Column;
pub use error::{OpenError, StoreError};
pub use lock::{DataLock, LockError};
pub use memory::MemoryStore;
pub use rocks::{RocksOptions, RocksStore};
pub(crate) use sweep::sweep;
#[cfg(test)]
pub(crate) use unruly::Unruly;

/// A row's key and value, borrowed from where they lie.
pub type Row<'a> = (&'a [u8], &'a [u8]);

/// A row's key and value.
pub type OwnedRow = (Vec<u8>, Vec<u8>);

/// What can be read of a store, at one instant or as it is now.
pub trait Read {
    /// The value of the row with this key.
    ///
    /// # Errors
    ///
    /// The row cannot be read, or is damaged.
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// A cursor over the rows with `start <= key < end`, before the first of them.
    fn cursor<'a>(&'a self, column: Column, start: &[u8], end: &[u8]) -> Box<dyn Cursor + 'a>;

    /// The last row of a column.
    ///
    /// # Errors
    ///
    /// The row cannot be read, or is damaged.
    fn last(&self, column: Column) -> Result<Option<OwnedRow>, StoreError>;
}

/// Walks rows in the order of their keys' bytes.
pub trait Cursor {
    /// Goes to the next row and reads it; nothing after the last one.
    ///
    /// # Errors
    ///
    /// The row cannot be read, or is damaged.
    fn next(&mut self) -> Result<Option<Row<'_>>, StoreError>;

    /// Lets [`Self::next`] go on at the first row whose key is `key` or after it, but within the
    /// cursor's range.
    fn seek(&mut self, key: &[u8]);
}

/// What a read that must not wait for the disk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cached {
    /// The answer: the row's value, or that there is none.
    Known(Option<Vec<u8>>),
    /// Only the disk knows.
    OnDisk,
}

/// Whether a batch is on disk when [`Store::write`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// It is: power may fail.
    Synced,
    /// It is visible, and on disk after the next [`Store::sync`].
    Later,
}

/// Ordered columns of rows. Laws, each a test of the contract suite: a batch becomes visible as a
/// whole or not at all, its changes in their order; a snapshot does not change; a cursor yields
/// exactly the rows of its range in byte order.
pub trait Store: Read + fmt::Debug + Send + Sync + 'static {
    /// Whether there is room for what clients write. Asked before their writes only: the store's own
    /// rows, and removing what is dead, may use what is kept free.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`].
    fn check_room(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Carries out all changes of a batch.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`]: nothing was written. Others: the store must be opened again before
    /// one can know.
    fn write(&self, batch: &Batch, flush: Flush) -> Result<(), StoreError>;

    /// Brings everything written so far to disk.
    ///
    /// # Errors
    ///
    /// It may not be there.
    fn sync(&self) -> Result<(), StoreError>;

    /// All rows as they are now, whatever is written later.
    fn snapshot(&self) -> Box<dyn Read + '_>;

    /// Reads a row without waiting for the disk.
    ///
    /// # Errors
    ///
    /// The row is damaged.
    fn get_cached(&self, column: Column, key: &[u8]) -> Result<Cached, StoreError>;

    /// A number that rises with every change and is the same after opening again.
    fn sequence(&self) -> u64;

    /// Figures about the store, for the metrics: name and bytes.
    fn sizes(&self) -> Vec<(&'static str, u64)>;
}
