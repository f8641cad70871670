//! The rows of `local` that belong to the cluster: cursors, agreement, bootstrap.

use std::collections::BTreeMap;

use kvs_core::agreement::Saved;
use kvs_core::engine::{Bootstrap, Cursor};
use kvs_core::members::Member;
use kvs_core::{NodeId, UnixMillis, codec};
use uuid::Uuid;

use super::{Identity, IdentityRow, json_row, number, read_json};
use crate::store::rows::{self, local};
use crate::store::{Batch, Column, Flush, OwnedRow, Read, Store, StoreError};

/// What the last run left.
#[derive(Clone, Debug, Default)]
pub struct ClusterState {
    /// How far each other node's log was followed.
    pub cursors: BTreeMap<NodeId, Cursor>,
    /// What was agreed.
    pub agreement: Saved,
    /// Where the filling of an empty node stood, if it was not finished.
    pub bootstrap: Option<Bootstrap>,
}

/// Reads what the last run left.
///
/// # Errors
///
/// A row cannot be read or is malformed.
pub fn read(store: &dyn Read) -> Result<ClusterState, StoreError> {
    Ok(ClusterState {
        cursors: cursors(store)?,
        agreement: read_json(store, local::AGREEMENT)?.unwrap_or_default(),
        bootstrap: read_json::<Option<_>>(store, local::BOOTSTRAP)?.flatten(),
    })
}

/// Counts this start: what gossip tells a node's starts apart by. On disk before it returns.
///
/// # Errors
///
/// The row cannot be read or written.
pub fn count_start(store: &dyn Store) -> Result<u64, StoreError> {
    let before = store.get(Column::Local, local::STARTS)?;
    let starts = before.as_deref().and_then(number).unwrap_or(0) + 1;
    let mut batch = Batch::default();
    batch.put(Column::Local, local::STARTS, &starts.to_be_bytes());
    store.write(&batch, Flush::Synced)?;
    Ok(starts)
}

/// Whether this node made its cluster's file itself, and so may hand it on.
///
/// # Errors
///
/// The row cannot be read.
pub fn made_file(store: &dyn Read) -> Result<bool, StoreError> {
    Ok(store.get(Column::Local, local::MADE_FILE)?.is_some())
}

/// Notes that this node made its cluster's file itself.
///
/// # Errors
///
/// The row cannot be written.
pub fn note_made_file(store: &dyn Store) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    batch.put(Column::Local, local::MADE_FILE, &[1]);
    store.write(&batch, Flush::Synced)
}

/// Whether nothing lives in the store but the node's own record as a member: it is the only one, and
/// nobody has written anything.
///
/// # Errors
///
/// A row cannot be read.
pub fn is_alone(store: &dyn Read, now: UnixMillis) -> Result<bool, StoreError> {
    let Some(IdentityRow { node, .. }) = read_json(store, local::IDENTITY)? else {
        return Ok(true);
    };
    let own = Member::record(NodeId::new(node)).map(|record| record.encode()).unwrap_or_default();
    let mut data = store.cursor(Column::Data, &[], &[0xff]);
    while let Some((row, value)) = data.next()? {
        let named = |error| rows::damaged(Column::Data, row, error);
        let (_, head) = codec::decode_row_head(value).map_err(named)?;
        if row != own && head.absence(now).is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The row that says who the node is.
pub fn identity_row(identity: &Identity) -> OwnedRow {
    json_row(local::IDENTITY.to_vec(), &IdentityRow::from(identity))
}

/// The row that says how far a node's log was followed.
pub fn cursor_row(node: NodeId, cursor: &Cursor) -> OwnedRow {
    let mut name = local::CURSOR.to_vec();
    name.extend(node.as_bytes());
    json_row(name, cursor)
}

/// The row of what is agreed.
pub fn agreement_row(saved: &Saved) -> OwnedRow {
    json_row(local::AGREEMENT.to_vec(), saved)
}

/// The row that says where filling stands; nothing says that it is done.
pub fn bootstrap_row(bootstrap: Option<&Bootstrap>) -> OwnedRow {
    json_row(local::BOOTSTRAP.to_vec(), &bootstrap)
}

fn cursors(store: &dyn Read) -> Result<BTreeMap<NodeId, Cursor>, StoreError> {
    // `0` follows `/`: ids are bytes of any kind.
    let mut rows = store.cursor(Column::Local, local::CURSOR, b"cursor0");
    let mut names = Vec::new();
    while let Some((name, _)) = rows.next()? {
        names.push(name.to_vec());
    }
    let cursor = |name: Vec<u8>| {
        let node = Uuid::from_slice(&name[local::CURSOR.len()..]).ok().map(NodeId::new)?;
        let cursor = read_json(store, &name);
        Some(cursor.map(|cursor: Option<Cursor>| (node, cursor.unwrap_or_default())))
    };
    names.into_iter().filter_map(cursor).collect()
}
