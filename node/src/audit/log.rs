//! Reads the log, wherever its entries are: in the store, or in archives.

use std::cell::RefCell;
use std::path::Path;

use kvs_core::audit::tree::{self, Nodes};
use kvs_core::audit::{Entry, Hash};
use thiserror::Error;

use super::appender::{leaf_of, root_of};
use super::archive::{Archive, Archives};
use super::layout::{self, Edge, TILE, TILE_LEVEL};
use crate::store::{Column, Read, StoreError};

/// Why there is no proof that a log goes on.
#[derive(Debug, Error)]
pub enum Unproven {
    /// The proof takes an archive that is not there.
    #[error("the archive with entry {0}, which the proof takes, is not there")]
    NoArchive(u64),
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How large a log is, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Entries in archives, or deleted with them.
    pub archived: u64,
    /// All entries.
    pub size: u64,
}

/// The log of a node, as of one instant.
pub struct Log<'a> {
    store: &'a dyn Read,
    archives: Archives,
    sizes: Sizes,
    /// The part of an archive that was read last.
    tile: RefCell<Option<(u64, Vec<Vec<u8>>)>>,
}

impl<'a> Log<'a> {
    /// The log in a store and in the archives beside it.
    ///
    /// # Errors
    ///
    /// It cannot be read where it begins and ends.
    pub fn open(store: &'a dyn Read, data_dir: &Path) -> Result<Self, StoreError> {
        let archived = Edge::read(store, layout::BASE)?.size();
        let size = Edge::read(store, layout::END)?.size();
        let sizes = Sizes { archived, size };
        Ok(Self { store, archives: Archives::of(data_dir), sizes, tile: RefCell::default() })
    }

    /// How large it is.
    pub const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The row of an entry; nothing where its archive is not there, or it was never written.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn row(&self, sequence: u64) -> Result<Option<Vec<u8>>, StoreError> {
        if sequence >= self.sizes.archived {
            return self.store.get(Column::Audit, &layout::entry(sequence));
        }
        let (tile, at) = (sequence / TILE, sequence % TILE);
        if self.tile.borrow().as_ref().is_none_or(|(known, _)| *known != tile) {
            // Where it is not there, that is remembered too: whoever looks for one looks for more.
            let rows = self.read_tile(tile)?.unwrap_or_default();
            self.tile.replace(Some((tile, rows)));
        }
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        Ok(self.tile.borrow().as_ref().and_then(|(_, rows)| rows.get(at).cloned()))
    }

    /// An entry, as [`Self::row`].
    ///
    /// # Errors
    ///
    /// It cannot be read, or is none.
    pub fn entry(&self, sequence: u64) -> Result<Option<Entry>, StoreError> {
        let Some(row) = self.row(sequence)? else { return Ok(None) };
        let bytes = row.get(32..).unwrap_or_default();
        let named = |error| StoreError::Damaged(format!("entry {sequence} of audit: {error}"));
        Entry::decode(bytes).map(Some).map_err(named)
    }

    fn read_tile(&self, tile: u64) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        let failed = |error: super::archive::ArchiveError| StoreError::Failed(error.to_string());
        let found = self.archives.with(tile * TILE).map_err(failed)?;
        let read = |archive: Archive| archive.tile(tile * TILE);
        found.map(read).transpose().map_err(failed)
    }

    fn leaves(&self, from: u64, count: u64) -> Result<Vec<Hash>, StoreError> {
        let leaf = |sequence| {
            let row = self.row(sequence)?;
            row.map(|row| leaf_of(&row)).ok_or_else(|| missing(sequence))
        };
        (from..from + count).map(leaf).collect()
    }

    /// The proof that an entry is in the log as it was at `size`; nothing if it was not.
    ///
    /// # Errors
    ///
    /// A part of the log that it takes cannot be read.
    pub fn inclusion(&self, sequence: u64, size: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        tree::inclusion(self, sequence, size)
    }

    /// The proof that the log at `old` is the beginning of that at `new`; nothing if it cannot be.
    ///
    /// # Errors
    ///
    /// A part of the log that it takes is not there or cannot be read.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, Unproven> {
        // Of what is archived, it takes no entries but those beside the last of `old`.
        if !old.is_multiple_of(TILE) && old <= self.sizes.archived && self.row(old - 1)?.is_none() {
            return Err(Unproven::NoArchive(old - 1));
        }
        Ok(tree::consistency(self, old, new)?)
    }
}

impl std::fmt::Debug for Log<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("sizes", &self.sizes).finish_non_exhaustive()
    }
}

impl Nodes for Log<'_> {
    type Error = StoreError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, StoreError> {
        if level < TILE_LEVEL {
            return Ok(root_of(self.leaves(index << level, 1 << level)?));
        }
        let row = self.store.get(Column::Audit, &layout::node(level, index))?;
        let hash = row.and_then(|row| row.try_into().ok());
        hash.ok_or_else(|| missing(index << level))
    }
}

fn missing(sequence: u64) -> StoreError {
    StoreError::Damaged(format!("the audit log has nothing for entry {sequence}"))
}
