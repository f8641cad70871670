//! Rows of `local` that are about logs: the node's head, and what it knows of others.

use std::collections::BTreeMap;

use kvs_core::NodeId;
use kvs_core::audit::SignedHead;
use serde::Serialize;

use super::Seen;
use super::layout;
use crate::store::{Column, Read, StoreError};

/// The head that was signed last.
pub(super) fn last_head(store: &dyn Read) -> Result<Option<SignedHead>, StoreError> {
    head(store, layout::HEAD)
}

/// The head that the log is known not to go on from.
pub(super) fn broken_head(store: &dyn Read) -> Result<Option<SignedHead>, StoreError> {
    head(store, layout::BROKEN)
}

fn head(store: &dyn Read, row: &[u8]) -> Result<Option<SignedHead>, StoreError> {
    let Some(bytes) = store.get(Column::Local, row)? else { return Ok(None) };
    let named =
        |error| StoreError::Damaged(format!("row {} of local: {error}", row.escape_ascii()));
    serde_json::from_slice(&bytes).map(Some).map_err(named)
}

/// What a store has of other nodes' logs.
pub(super) fn seen(store: &dyn Read) -> Result<BTreeMap<NodeId, Seen>, StoreError> {
    let mut end = layout::PEER.to_vec();
    // `0` follows `/`.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    let (mut rows, mut seen) = (store.cursor(Column::Local, layout::PEER, &end), BTreeMap::new());
    while let Some((row, value)) = rows.next()? {
        let node = row[layout::PEER.len()..].try_into().map(NodeId::from_bytes);
        let known = serde_json::from_slice(value);
        let (Ok(node), Ok(known)) = (node, known) else {
            let row = row.escape_ascii();
            return Err(StoreError::Damaged(format!("row {row} of local: malformed")));
        };
        seen.insert(node, known);
    }
    Ok(seen)
}

/// The value of a row.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    // Structs of numbers, strings and lists always serialize.
    serde_json::to_vec(value).unwrap_or_default()
}
