//! How keys and values of rows are laid out. Integers in keys are big-endian, so that their order is
//! right.

use kvs_core::codec::{self, DecodeError};
use kvs_core::digest::Position;
use kvs_core::{Key, RecordId, Stamp, Superseded, Version, VersionId};

use super::{Column, StoreError};

/// Key of a row of `log`.
pub fn log(sequence: u64) -> [u8; 8] {
    sequence.to_be_bytes()
}

/// The sequence in a key of `log`; nothing if it is none.
pub fn log_sequence(row: &[u8]) -> Option<u64> {
    row.try_into().ok().map(u64::from_be_bytes)
}

/// Key of a row of `by_time` or `dies`.
pub fn timed(stamp: Stamp, record: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(8 + record.len());
    row.extend(stamp.bits().to_be_bytes());
    row.extend(record);
    row
}

/// The stamp and the record in a key of `by_time` or `dies`.
///
/// # Errors
///
/// It is none; `column` is named.
pub fn read_timed(column: Column, row: &[u8]) -> Result<(Stamp, RecordId), StoreError> {
    let malformed = || damaged(column, row, DecodeError::Field("the key"));
    let (stamp, record) = row.split_first_chunk().ok_or_else(malformed)?;
    let record = RecordId::decode(record).map_err(|_key| malformed())?;
    Ok((Stamp::from_bits(u64::from_be_bytes(*stamp)), record))
}

/// Key of a row of `hidx`.
pub fn hidx(position: Position, record: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(8 + record.len());
    row.extend(position.0.to_be_bytes());
    row.extend(record);
    row
}

/// The half-open range of a key's rows in `revisions`.
pub fn revisions_of(key: &Key) -> (Vec<u8>, Vec<u8>) {
    let mut start = Vec::new();
    key.encode_into(&mut start);
    let mut end = start.clone();
    // The key's ending NUL counted up: behind every inverted stamp.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    (start, end)
}

/// Key of a row of `revisions`: newest first.
pub fn revision(key: &Key, stamp: Stamp, uuid: VersionId) -> Vec<u8> {
    let (mut row, _) = revisions_of(key);
    row.extend((!stamp.bits()).to_be_bytes());
    row.extend(uuid.as_bytes());
    row
}

/// Value of a row of `revisions`: why it was superseded, then the version.
pub fn revision_value(reason: Superseded, version: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(1 + version.len());
    value.push(match reason {
        Superseded::Older => 0,
        Superseded::YoungerOrigin => 1,
        Superseded::Uuid => 2,
    });
    value.extend(version);
    value
}

/// Reads a row of `revisions`.
///
/// # Errors
///
/// It does not decode; the row is named.
pub fn read_revision(row: &[u8], value: Vec<u8>) -> Result<(Superseded, Version), StoreError> {
    let name = |error| damaged(Column::Revisions, row, error);
    let reason = match value.first() {
        Some(0) => Superseded::Older,
        Some(1) => Superseded::YoungerOrigin,
        Some(2) => Superseded::Uuid,
        _ => return Err(name(DecodeError::Field("the reason"))),
    };
    let version = codec::decode(&bytes::Bytes::from(value).slice(1..)).map_err(name)?;
    Ok((reason, version))
}

/// A row that does not decode, named for the log.
pub fn damaged(column: Column, row: &[u8], source: DecodeError) -> StoreError {
    StoreError::Row { column: column.name(), row: row.escape_ascii().to_string(), source }
}

/// Names of rows in `local`.
pub mod local {
    /// Format number of the store.
    pub const FORMAT: &[u8] = b"format";
    /// What this node is: id, joined, digest key.
    pub const IDENTITY: &[u8] = b"identity";
    /// A stamp beyond which none was handed out.
    pub const CLOCK: &[u8] = b"clock";
    /// The store's incarnations.
    pub const INCARNATIONS: &[u8] = b"incarnations";
    /// There while the store is closed cleanly.
    pub const CLEAN: &[u8] = b"clean";
    /// The stamp up to which the dead were collected.
    pub const HORIZON: &[u8] = b"horizon";
    /// What is agreed with the other members.
    pub const AGREEMENT: &[u8] = b"agreement";
    /// Where a node that is being filled stands.
    pub const BOOTSTRAP: &[u8] = b"bootstrap";
    /// How often the node has started, for the gossip.
    pub const STARTS: &[u8] = b"starts";
    /// There while everything else is being removed.
    pub const EMPTYING: &[u8] = b"emptying";
    /// There if this node made its cluster's file itself.
    pub const MADE_FILE: &[u8] = b"made_file";
    /// What people told the node to do with clients' writes.
    pub const MODE: &[u8] = b"mode";
    /// Before a node's id: how far its log was followed.
    pub const CURSOR: &[u8] = b"cursor/";
}
