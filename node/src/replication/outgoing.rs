//! What this node accepted from its clients, for the nodes that follow it.

use bytes::Bytes;
use kvs_core::NodeId;
use kvs_core::codec;
use kvs_core::wire::Sent;

use crate::store::{Column, Read, StoreError, rows};
use crate::writer::{Accepted, Tail};

/// Rows of `log` that one call looks at, so that a follower of a log full of others' versions hears
/// of its progress.
const LOOKED_AT: usize = 10_000;

/// The versions that this node accepted after `position`, about `bytes` of them, and the position
/// that they reach: from memory where they are there, else from the log.
///
/// # Errors
///
/// A row cannot be read.
pub fn after(
    tail: &Tail,
    read: &dyn Read,
    node: NodeId,
    position: u64,
    bytes: usize,
) -> Result<(Vec<Sent>, u64), StoreError> {
    match from_tail(tail, position, bytes) {
        Some(read) => Ok(read),
        None => from_log(read, node, position, bytes),
    }
}

/// The same, if it is all in memory.
pub fn from_tail(tail: &Tail, position: u64, bytes: usize) -> Option<(Vec<Sent>, u64)> {
    let (accepted, reached) = tail.read(position, bytes)?;
    let sent = |Accepted { record, version, .. }| Sent { record, version };
    Some((accepted.into_iter().map(sent).collect(), reached))
}

/// A version that was overwritten since is not in the log any more: what overwrote it is, here or in
/// the log of the node that accepted it.
fn from_log(
    read: &dyn Read,
    node: NodeId,
    position: u64,
    bytes: usize,
) -> Result<(Vec<Sent>, u64), StoreError> {
    let start = rows::log(position.saturating_add(1));
    let mut log = read.cursor(Column::Log, &start, &[0xff; 9]);
    let (mut sent, mut size, mut reached) = (Vec::new(), 0, position);
    for _ in 0..LOOKED_AT {
        if size >= bytes {
            break;
        }
        let Some((row, record)) = log.next()? else { break };
        let sequence = rows::log_sequence(row).unwrap_or(reached);
        if let Some(version) = own(read, node, record)? {
            let one = Sent { record: Bytes::copy_from_slice(record), version };
            size += one.size();
            sent.push(one);
        }
        reached = sequence;
    }
    Ok((sent, reached))
}

/// The current version of a record, if this node accepted it.
fn own(read: &dyn Read, node: NodeId, record: &[u8]) -> Result<Option<Bytes>, StoreError> {
    let Some(row) = read.get(Column::Data, record)? else { return Ok(None) };
    let named = |error| rows::damaged(Column::Data, record, error);
    let (_, head) = codec::decode_row_head(&row).map_err(named)?;
    let own = head.origin.node == node;
    Ok(own.then(|| codec::version_of_row(&row)).flatten().map(Bytes::from))
}
