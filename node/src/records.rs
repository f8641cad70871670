//! What is stored, as records and versions: every reading of the store that serves a client.

mod changes;
mod cursor;
mod history;
mod listing;
mod permit;

use std::fmt;

use bytes::Bytes;
use kvs_core::codec::{self, Local};
use kvs_core::{Absence, Body, Head, Key, Meta, RecordId, UnixMillis, Version};

pub use changes::{Change, Operation, Position, TimePosition, TimeRange};
pub use cursor::{BadCursor, Cursor};
pub use history::Revision;
pub use listing::{Child, Entry, ListPosition, Page, Summary, TreeBounds};
pub use permit::{Facts, Governs, MetaKeys, governs};

use crate::caller::Caller;
use crate::store::{Column, Read, StoreError, rows};

/// The records that a caller may see, at one instant of wall time.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Where rows lie: the store, or a snapshot of it.
    pub read: &'a dyn Read,
    /// Who asks.
    pub caller: &'a Caller,
    /// Which keys may have metadata.
    pub metadata: &'a MetaKeys,
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
    /// The newest version of a value, dead or alive, if the caller may know of it.
    ///
    /// # Errors
    ///
    /// The row cannot be read or is damaged.
    pub fn newest(&self, key: &Key) -> Result<Option<(Local, Version)>, StoreError> {
        let found = self.row(&RecordId::value(key.clone()))?;
        let head = found.as_ref().map(|(_, version)| version.head());
        let may_read = self.may_read(key, head.as_ref())?;
        Ok(found.filter(|_| may_read))
    }

    /// The newest version of a record, dead or alive, whoever asks.
    fn row(&self, record: &RecordId) -> Result<Option<(Local, Version)>, StoreError> {
        let row = record.encode();
        let value = self.read.get(Column::Data, &row)?;
        value.map(|value| decode(&row, value)).transpose()
    }

    /// The current version of a value, or why there is none that the caller may know of.
    ///
    /// # Errors
    ///
    /// The row cannot be read or is damaged.
    pub fn current(&self, key: &Key) -> Result<Result<Version, Absence>, StoreError> {
        Ok(live(self.newest(key)?, self.now))
    }

    /// The metadata that was set on exactly this key, with its version, whoever asks.
    ///
    /// # Errors
    ///
    /// The row cannot be read or is damaged.
    pub fn own_metadata(&self, key: &Key) -> Result<Option<(Version, Meta)>, StoreError> {
        let current = live(self.row(&RecordId::meta(key.clone()))?, self.now);
        Ok(current.ok().and_then(|version| match &version.body {
            Body::Meta(meta) => Some((version.clone(), meta.clone())),
            _ => None,
        }))
    }

    /// The metadata that governs a key, and where it was set: its own, else the nearest ancestor's;
    /// whoever asks.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn governing_metadata(&self, key: &Key) -> Result<Option<(Key, Meta)>, StoreError> {
        for key in self.metadata.near(key) {
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
