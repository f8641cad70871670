//! What a copy of a store says of the node it was taken of, and how it becomes another node's.

use kvs_core::account::Place;
use kvs_core::agreement::Saved;
use kvs_core::members;
use kvs_core::{Format, Key, Kind, NodeId, Prefix, Stamp, UnixMillis, codec};
use uuid::Uuid;

use super::cluster::{agreement_row, identity_row};
use super::{Identity, IdentityRow, malformed, read_format, read_json, read_number};
use crate::audit::layout as audit;
use crate::store::rows::{self, local};
use crate::store::{Batch, Column, Flush, Read, Store, StoreError};

/// Rows that a backup has. What is not named here stays with its node: what positions in its log
/// mean, whom it followed, and whatever is sealed.
const COPIED: [&[u8]; 10] = [
    local::FORMAT,
    local::IDENTITY,
    local::CLOCK,
    local::HORIZON,
    local::AGREEMENT,
    audit::END,
    audit::BASE,
    audit::HEAD,
    audit::BROKEN,
    audit::PUBLIC,
];

/// What is true of the data, whichever node has it.
const OF_DATA: [&[u8]; 3] = [local::FORMAT, local::CLOCK, local::HORIZON];

/// What a copy says of its node.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// Who it is.
    pub identity: Identity,
    /// No stamp beyond this was handed out.
    pub clock: Stamp,
    /// Up to where it held everything.
    pub held: Stamp,
    /// Up to where the dead were collected.
    pub horizon: Stamp,
    /// In which format its versions are written.
    pub format: Format,
}

/// Reads what a copy says.
///
/// # Errors
///
/// A row is missing, malformed or cannot be read.
pub fn inspect(store: &dyn Read) -> Result<Inspected, StoreError> {
    let identity: Option<IdentityRow> = read_json(store, local::IDENTITY)?;
    let identity = identity.ok_or_else(|| malformed(local::IDENTITY, "it is missing"))?;
    let saved: Saved = read_json(store, local::AGREEMENT)?.unwrap_or_default();
    let stamp = |name| Ok(read_number(store, name)?.map_or(Stamp::MIN, Stamp::from_bits));
    Ok(Inspected {
        identity: identity.into(),
        clock: stamp(local::CLOCK)?,
        held: saved.held,
        horizon: stamp(local::HORIZON)?.max(saved.horizon),
        format: read_format(store, Format::NEWEST)?,
    })
}

/// Leaves out what is not for a backup.
///
/// # Errors
///
/// The store cannot be read or written.
pub fn strip(store: &dyn Store) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    forget(store, &COPIED, &mut batch)?;
    store.write(&batch, Flush::Synced)
}

/// Makes the store that of a new node, which is to be the first member of a cluster: members,
/// cursors and agreement of the old one go, of another cluster also tokens and the keys that signed
/// them, and nothing else. All in one batch, so that the index is
/// right whatever happens.
///
/// # Errors
///
/// The store cannot be read or written.
pub fn renew(
    store: &dyn Store,
    cluster: Uuid,
    made_file: bool,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let Inspected { identity, horizon, .. } = inspect(store)?;
    let mut batch = Batch::default();
    forget(store, &OF_DATA, &mut batch)?;
    forget_records(store, members::PREFIX, &identity, &mut batch)?;
    if identity.cluster != Some(cluster) {
        // Whoever has the secret of the cluster that it was must not sign for this one.
        for prefix in Place::OF_ONE_CLUSTER {
            forget_records(store, prefix, &identity, &mut batch)?;
        }
    }
    let node = NodeId::new(Uuid::new_v4());
    let identity = Identity { node, joined: now, cluster: Some(cluster), ..identity };
    // What was dead before the horizon is forgotten here: whoever is behind it has missed that.
    let saved = Saved { held: horizon, horizon, ..Saved::default() };
    for (name, value) in [identity_row(&identity), agreement_row(&saved)] {
        batch.put(Column::Local, &name, &value);
    }
    if made_file {
        batch.put(Column::Local, local::MADE_FILE, &[1]);
    }
    store.write(&batch, Flush::Synced)
}

/// Deletes all rows of `local` but these.
fn forget(store: &dyn Read, kept: &[&[u8]], batch: &mut Batch) -> Result<(), StoreError> {
    let mut rows = store.cursor(Column::Local, &[], &[0xff]);
    while let Some((name, _)) = rows.next()? {
        if !kept.contains(&name) {
            batch.delete(Column::Local, name);
        }
    }
    Ok(())
}

fn forget_records(
    store: &dyn Read,
    prefix: &str,
    identity: &Identity,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let prefix = Key::system(prefix).map_err(|error| StoreError::Failed(error.to_string()))?;
    let (start, end) = Prefix::Under(prefix).range(Kind::Value);
    let mut data = store.cursor(Column::Data, &start, &end);
    while let Some((row, value)) = data.next()? {
        let named = |error| rows::damaged(Column::Data, row, error);
        let (own, head) = codec::decode_row_head(value).map_err(named)?;
        batch.delete(Column::Data, row);
        batch.delete(Column::Log, &rows::log(own.sequence));
        batch.delete(Column::ByTime, &rows::timed(head.stamp, row));
        if let Some(death) = head.dies() {
            batch.delete(Column::Dies, &rows::timed(death, row));
        }
        let position = identity.digest_key.position(row);
        batch.delete(Column::Hidx, &rows::hidx(position, row));
    }
    Ok(())
}
