//! Gives the present as their time to the versions that a node wrote while its clock was ahead, for
//! a store that no node runs on. Others refuse those versions, so nobody else has them.

use std::path::Path;
use std::time::Duration;

use kvs_core::agreement::Saved;
use kvs_core::codec::{self, Local, RevisionId};
use kvs_core::digest::{DigestKey, Entry};
use kvs_core::{Clock, Format, Head, Key, NodeId, RecordId, Stamp, UnixMillis, Version};
use thiserror::Error;

use crate::local::{self, cluster};
use crate::records;
use crate::store::{Batch, Column, Flush, OpenError, Read, Store, StoreError, rows};

/// Records that are changed in one batch.
const STEP: usize = 1_000;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restamped {
    /// Records whose newest version has another stamp now.
    pub own: u64,
    /// Records that lie ahead as well, and were written by other nodes: they are left alone.
    pub foreign: u64,
}

/// Versions could not be given another time. Some may have got it; the rest gets it another time.
#[derive(Debug, Error)]
pub enum RestampError {
    /// The store is of a newer format, or damaged.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stamps this node's own versions that lie more than `drift` after `now` with `now`, in their
/// order, and sets the node's clock back to them.
///
/// # Errors
///
/// The store cannot be read or written.
pub fn restamp(
    store: &dyn Store,
    dir: &Path,
    now: UnixMillis,
    drift: Duration,
) -> Result<Restamped, RestampError> {
    let state = local::open(store, dir, now)?;
    let limit = Stamp::at(UnixMillis(now.after(drift).0 + 1));
    let mut work = Work {
        store,
        node: state.identity.node,
        key: state.identity.digest_key.clone(),
        now,
        limit,
        clock: Clock::after(latest_before(store, now, limit)?),
        sequence: state.next_sequence,
        format: state.format,
        done: Restamped::default(),
    };
    let mut from = rows::timed(limit, &[]);
    while let Some(next) = work.step(&from)? {
        from = next;
    }
    let floor = if state.clock_floor < limit { state.clock_floor } else { Stamp::MIN };
    let clock = work.clock.last().max(floor);
    set_back(store, now, limit, clock)?;
    local::close(store, work.sequence, clock)?;
    Ok(work.done)
}

/// The latest stamp between `now` and `limit`, or `now`.
fn latest_before(store: &dyn Read, now: UnixMillis, limit: Stamp) -> Result<Stamp, StoreError> {
    let mut latest = Stamp::at(now);
    let mut index =
        store.cursor(Column::ByTime, &rows::timed(latest, &[]), &rows::timed(limit, &[]));
    while let Some((row, _)) = index.next()? {
        latest = rows::read_timed(Column::ByTime, row)?.0;
    }
    Ok(latest)
}

/// Has the clock, and what the node holds to be everywhere, be no later than it can be.
fn set_back(
    store: &dyn Store,
    now: UnixMillis,
    limit: Stamp,
    clock: Stamp,
) -> Result<(), StoreError> {
    let mut saved = cluster::read(store)?.agreement;
    let present = |stamp: Stamp| if stamp < limit { stamp } else { Stamp::at(now) };
    let Saved { agreed, held, horizon, .. } = &mut saved;
    for stamp in agreed.values_mut() {
        *stamp = present(*stamp);
    }
    (*held, *horizon) = (present(*held), present(*horizon));
    let (name, row) = cluster::agreement_row(&saved);
    let mut batch = Batch::default();
    batch.put(Column::Local, &name, &row);
    batch.put(Column::Local, rows::local::CLOCK, &clock.bits().to_be_bytes());
    if let Some(collected) = local::horizon(store)? {
        let bits = present(collected).bits();
        batch.put(Column::Local, rows::local::HORIZON, &bits.to_be_bytes());
    }
    store.write(&batch, Flush::Synced)
}

struct Work<'a> {
    store: &'a dyn Store,
    node: NodeId,
    key: DigestKey,
    now: UnixMillis,
    /// What is stamped earlier is left alone.
    limit: Stamp,
    clock: Clock,
    sequence: u64,
    format: Format,
    done: Restamped,
}

impl Work<'_> {
    /// Goes through some records from a row of `by_time` on, and says where to go on.
    fn step(&mut self, from: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut found = Vec::new();
        let mut index = self.store.cursor(Column::ByTime, from, &[0xff; 9]);
        while found.len() < STEP
            && let Some((row, _)) = index.next()?
        {
            found.push(row.to_vec());
        }
        let Some(last) = found.last().cloned() else { return Ok(None) };
        let mut batch = Batch::default();
        for row in &found {
            let (_, record) = rows::read_timed(Column::ByTime, row)?;
            self.record(&record, &mut batch)?;
        }
        self.store.write(&batch, Flush::Synced)?;
        Ok(Some([last.as_slice(), &[0]].concat()))
    }

    fn record(&mut self, record: &RecordId, batch: &mut Batch) -> Result<(), StoreError> {
        let row = record.encode();
        let Some(value) = self.store.get(Column::Data, &row)? else { return Ok(()) };
        let (local, version) = records::decode(&row, value)?;
        if version.origin.node != self.node {
            self.done.foreign += 1;
            return Ok(());
        }
        remove_index(batch, &row, &version.head(), &local);
        let revisions = self.revisions(&record.key, &local.revisions, batch)?;
        let version = self.moved(version);
        let local = Local { sequence: self.sequence, revisions };
        self.sequence += 1;
        self.add(batch, &row, &local, &version);
        self.done.own += 1;
        Ok(())
    }

    /// Moves the older versions that lie ahead, which come before the newest.
    fn revisions(
        &mut self,
        key: &Key,
        listed: &[RevisionId],
        batch: &mut Batch,
    ) -> Result<Vec<RevisionId>, StoreError> {
        let (ahead, mut kept): (Vec<_>, Vec<_>) =
            listed.iter().copied().partition(|id| id.stamp >= self.limit);
        // What another node may have taken for the newest must lose.
        if let Some(latest) = kept.first() {
            self.clock = Clock::after(self.clock.last().max(latest.stamp));
        }
        for id in ahead.into_iter().rev() {
            let row = rows::revision(key, id.stamp, id.uuid);
            let Some(value) = self.store.get(Column::Revisions, &row)? else { continue };
            let (reason, version) = rows::read_revision(&row, value)?;
            let version = self.moved(version);
            let encoded = codec::encode(&version, self.format);
            let id = RevisionId { stamp: version.stamp, uuid: version.uuid };
            batch.delete(Column::Revisions, &row);
            let value = rows::revision_value(reason, &encoded);
            batch.put(Column::Revisions, &rows::revision(key, id.stamp, id.uuid), &value);
            kept.insert(0, id);
        }
        Ok(kept)
    }

    /// The same version at the next moment of the present; it lives as long as it was to live.
    fn moved(&mut self, version: Version) -> Version {
        let stamp = self.clock.tick(self.now, None);
        let back = version.stamp.millis().0.saturating_sub(stamp.millis().0);
        Version {
            stamp,
            created_at: version.created_at.min(stamp.millis()),
            expires_at: version.expires_at.map(|at| at.before(Duration::from_millis(back))),
            ..version
        }
    }

    fn add(&self, batch: &mut Batch, row: &[u8], local: &Local, version: &Version) {
        let head = version.head();
        batch.put(Column::Data, row, &codec::encode_row(local, version, self.format));
        batch.put(Column::Log, &rows::log(local.sequence), row);
        batch.put(Column::ByTime, &rows::timed(head.stamp, row), &[]);
        if let Some(death) = head.dies() {
            batch.put(Column::Dies, &rows::timed(death, row), &[]);
        }
        let position = self.key.position(row);
        batch.put(Column::Hidx, &rows::hidx(position, row), &Entry::from(&head).to_bytes());
    }
}

fn remove_index(batch: &mut Batch, row: &[u8], head: &Head, local: &Local) {
    batch.delete(Column::Log, &rows::log(local.sequence));
    batch.delete(Column::ByTime, &rows::timed(head.stamp, row));
    if let Some(death) = head.dies() {
        batch.delete(Column::Dies, &rows::timed(death, row));
    }
}

#[cfg(test)]
mod tests;
