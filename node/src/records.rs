//! What is stored, as records and versions: every reading of the store that serves a client.

mod changes;
mod cursor;
mod history;
mod listing;

use std::fmt;

use bytes::Bytes;
use kvs_core::codec::{self, Local};
use kvs_core::{Absence, Body, Head, Key, Meta, RecordId, UnixMillis, Version};

pub use changes::{Change, Operation, Position, TimePosition, TimeRange};
pub use cursor::{BadCursor, Cursor};
pub use history::Revision;
pub use listing::{Child, Entry, ListPosition, Page, Summary, TreeBounds};

use crate::caller::Caller;
use crate::store::{Column, Read, StoreError, rows};

/// The records that a caller may see, at one instant of wall time.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Where rows lie: the store, or a snapshot of it.
    pub read: &'a dyn Read,
    /// Who asks.
    pub caller: &'a Caller,
    /// What is expired by then reads as absent.
    pub now: UnixMillis,
    /// How many rows one call may look at before it returns what it has, with a position to go on.
    pub scan_keys: usize,
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({:?} at {})", self.caller, self.now)
    }
}

impl View<'_> {
    /// The newest version of a record, dead or alive, if the caller may know of it.
    ///
    /// # Errors
    ///
    /// The row cannot be read or is damaged.
    pub fn newest(&self, record: &RecordId) -> Result<Option<(Local, Version)>, StoreError> {
        if !self.caller.may_read(&record.key) {
            return Ok(None);
        }
        let row = record.encode();
        let value = self.read.get(Column::Data, &row)?;
        value.map(|value| decode(&row, value)).transpose()
    }

    /// The current version of a record, or why there is none.
    ///
    /// # Errors
    ///
    /// The row cannot be read or is damaged.
    pub fn current(&self, record: &RecordId) -> Result<Result<Version, Absence>, StoreError> {
        Ok(live(self.newest(record)?, self.now))
    }

    /// The metadata that was set on exactly this key, with its version.
    ///
    /// # Errors
    ///
    /// The row cannot be read or is damaged.
    pub fn own_metadata(&self, key: &Key) -> Result<Option<(Version, Meta)>, StoreError> {
        let current = self.current(&RecordId::meta(key.clone()))?;
        Ok(current.ok().and_then(|version| match &version.body {
            Body::Meta(meta) => Some((version.clone(), meta.clone())),
            _ => None,
        }))
    }

    /// The metadata that governs a key, and where it was set: its own, else the nearest ancestor's.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn governing_metadata(&self, key: &Key) -> Result<Option<(Key, Meta)>, StoreError> {
        for key in std::iter::once(key.clone()).chain(key.ancestors()) {
            if let Some((_, meta)) = self.own_metadata(&key)? {
                return Ok(Some((key, meta)));
            }
        }
        Ok(None)
    }

    /// The head of a row of `data`, if its record is there at this view's instant.
    fn live_head(&self, row: &[u8], value: &[u8]) -> Result<Option<Head>, StoreError> {
        let named = |error| rows::damaged(Column::Data, row, error);
        let (_, head) = codec::decode_row_head(value).map_err(named)?;
        Ok(Some(head).filter(|head| head.absence(self.now).is_none()))
    }
}

/// Reads a row of `data`.
///
/// # Errors
///
/// It does not decode; the row is named.
pub fn decode(row: &[u8], value: Vec<u8>) -> Result<(Local, Version), StoreError> {
    let value = Bytes::from(value);
    codec::decode_row(&value).map_err(|error| rows::damaged(Column::Data, row, error))
}

/// The version that a client sees at `now`, or why there is none.
///
/// # Errors
///
/// The record is absent.
pub fn live(newest: Option<(Local, Version)>, now: UnixMillis) -> Result<Version, Absence> {
    let (_, version) = newest.ok_or(Absence::NeverWritten)?;
    match version.head().absence(now) {
        Some(absence) => Err(absence),
        None => Ok(version),
    }
}

/// The record of a row of `data`.
fn record_of(row: &[u8]) -> Result<RecordId, StoreError> {
    RecordId::decode(row).map_err(|_key| {
        rows::damaged(Column::Data, row, kvs_core::codec::DecodeError::Field("the key"))
    })
}

#[cfg(test)]
mod tests;
