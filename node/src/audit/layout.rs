//! How the log lies in the store.
//!
//! | column | key | value |
//! | --- | --- | --- |
//! | `audit` | sequence | leaf hash, entry |
//! | `audit` | 0xff, level, index | hash of a full subtree of 256 leaves or more |
//! | `local` | `audit/…` | where the log ends and begins, its head and key, heads of other nodes |
//!
//! Smaller subtrees are worked out from the at most 256 leaves that they are over: to keep them would
//! double the rows of every write.

use kvs_core::NodeId;
use kvs_core::audit::{Frontier, Hash};

use crate::store::{Column, Read, StoreError};

/// Subtrees of this level and above have rows.
pub const TILE_LEVEL: u32 = 8;
/// How many entries the smallest subtree has that is kept.
pub const TILE: u64 = 1 << TILE_LEVEL;

/// What all rows of `local` begin with that belong to the log.
pub const LOCAL: &[u8] = b"audit/";
/// The log's end.
pub const END: &[u8] = b"audit/end";
/// Where the entries begin that are in the store.
pub const BASE: &[u8] = b"audit/base";
/// The head that was signed last.
pub const HEAD: &[u8] = b"audit/head";
/// A head that was signed once and that the log does not go on from, once there is one: the log was
/// cut, or entries were replaced.
pub const BROKEN: &[u8] = b"audit/broken";
/// The seed of the node's key.
pub const KEY: &[u8] = b"audit/key";
/// The public half of it.
pub const PUBLIC: &[u8] = b"audit/public";
/// All of these: what is of this log alone.
pub const OWN: [&[u8]; 6] = [END, BASE, HEAD, BROKEN, KEY, PUBLIC];
/// Before a node's id: what is known of its log.
pub const PEER: &[u8] = b"audit/peer/";

/// First byte of the keys of subtrees: behind every sequence.
pub const NODE: u8 = 0xff;

/// Key of an entry's row.
pub const fn entry(sequence: u64) -> [u8; 8] {
    sequence.to_be_bytes()
}

/// Key of a subtree's row.
pub fn node(level: u32, index: u64) -> [u8; 10] {
    let mut key = [NODE; 10];
    // There are 64 levels at most.
    key[1] = u8::try_from(level).unwrap_or(u8::MAX);
    key[2..].copy_from_slice(&index.to_be_bytes());
    key
}

/// Key of what is known of another node's log.
pub fn peer(node: NodeId) -> Vec<u8> {
    [PEER, node.as_bytes()].concat()
}

/// An end of the log, or of a part of it: what the next entry is appended to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// The tree up to there.
    pub frontier: Frontier,
    /// The leaf hash of the last entry; zeros where there is none.
    pub previous: Hash,
}

impl Edge {
    /// The edge that a row of `local` has; that of an empty log if it is not there.
    ///
    /// # Errors
    ///
    /// The row cannot be read, or is none.
    pub fn read(store: &dyn Read, row: &[u8]) -> Result<Self, StoreError> {
        let Some(bytes) = store.get(Column::Local, row)? else { return Ok(Self::default()) };
        Self::from_bytes(&bytes).ok_or_else(|| {
            StoreError::Damaged(format!("row {} of local: malformed", row.escape_ascii()))
        })
    }

    /// How many entries there are up to here.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Size, previous leaf, peaks.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size().to_be_bytes().to_vec();
        bytes.extend(self.previous);
        bytes.extend(self.frontier.peaks().iter().flatten());
        bytes
    }

    /// The edge of these bytes; nothing if they are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk()?;
        let (previous, peaks) = rest.split_first_chunk()?;
        let (peaks, []) = peaks.as_chunks() else { return None };
        let frontier = Frontier::new(u64::from_be_bytes(*size), peaks.to_vec())?;
        Some(Self { frontier, previous: *previous })
    }
}
