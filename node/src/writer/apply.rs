//! What a group of writes does to the rows: the one way into the store.
//!
//! Synchronous, without a thread or a clock of its own: the writer thread calls it, and so do tests
//! and simulations.

mod collect;
mod outcome;
mod scrub;

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use kvs_core::account::Place;
use kvs_core::audit::{Event, KeyHasher, Outcome as AuditOutcome, Subject};
use kvs_core::codec::{self, Local, RevisionId};
use kvs_core::decide::Moment;
use kvs_core::digest::{DigestKey, Entry, Leaf};
use kvs_core::{
    Body, BodyKind, Clock, Command, Decision, Format, Head, Kind, Origin, RecordId, Stamp,
    Superseded, UnixMillis, Version, decide, format,
};

pub use collect::Collected;
pub use outcome::{Accepted, Applied, Outcome, Receipt, Refused, Retention, Write, WriteResult};
pub use scrub::{ScrubPosition, Scrubbed};

use crate::audit::{Appender, Notice, Said};
use crate::local::{self, Birth, LocalState};
use crate::store::{Batch, Column, Flush, OwnedRow, Read, Store, StoreError, rows};

/// How far ahead of the wall clock the clock's floor is written, so that it need not be written with
/// every group.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// Turns commands into rows.
#[derive(Debug)]
pub struct Applier {
    origin: Origin,
    digest_key: DigestKey,
    key_hasher: KeyHasher,
    retention: Retention,
    clock: Clock,
    /// What is on disk as the clock's floor.
    clock_floor: Stamp,
    next_sequence: u64,
    horizon: Stamp,
    /// In which format versions are written.
    format: Format,
    /// The end of the tamper-evident log, if there is to be one.
    audit: Option<Appender>,
}

/// A record's current version as the group sees it: from the store, or from an earlier write of the
/// same group.
struct Current {
    head: Head,
    local: Local,
    row: Vec<u8>,
}

/// One group in the making.
struct Group<'a> {
    store: &'a dyn Read,
    now: UnixMillis,
    batch: Batch,
    overlay: HashMap<Vec<u8>, Option<Current>>,
    outcome: Outcome,
    /// Where the tamper-evident log will end.
    audit: Option<Appender>,
    /// Who asked for the write that is being carried out.
    author: Subject,
}

impl Applier {
    /// An applier that goes on where the store left off.
    pub fn new(state: &LocalState, retention: Retention) -> Self {
        Self {
            origin: state.identity.origin(),
            digest_key: state.identity.digest_key.clone(),
            key_hasher: KeyHasher::new(state.identity.digest_key.bytes()),
            retention,
            clock: Clock::after(state.clock_floor),
            clock_floor: state.clock_floor,
            next_sequence: state.next_sequence,
            horizon: state.horizon,
            format: state.format,
            audit: None,
        }
    }

    /// The same, that writes down what it does.
    #[must_use]
    pub fn audited(self, audit: Appender) -> Self {
        Self { audit: Some(audit), ..self }
    }

    /// The sequence of the last commit.
    pub const fn last_sequence(&self) -> u64 {
        self.next_sequence - 1
    }

    /// The stamp of the last commit, or the floor the clock started from.
    pub const fn last_stamp(&self) -> Stamp {
        self.clock.last()
    }

    /// The format that versions are written in.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The stamp up to which the dead have been collected.
    pub const fn horizon(&self) -> Stamp {
        self.horizon
    }

    /// Moves the clock to at least `to`, so that whatever is stamped from here on is later; `now` is
    /// the wall clock.
    ///
    /// # Errors
    ///
    /// The clock's floor cannot be written; the clock has not moved.
    pub fn raise_clock(
        &mut self,
        store: &dyn Store,
        to: Stamp,
        now: UnixMillis,
    ) -> Result<Stamp, StoreError> {
        let raised = Clock::after(self.clock.last().max(to));
        let before = std::mem::replace(&mut self.clock, raised);
        let mut batch = Batch::default();
        let floor = self.raised_clock_floor(&mut batch, now);
        if !batch.is_empty()
            && let Err(error) = store.write(&batch, Flush::Later)
        {
            self.clock = before;
            return Err(error);
        }
        self.clock_floor = floor;
        Ok(self.clock.last())
    }

    /// Goes on in an empty store as the node that `birth` says.
    pub fn adopt(&mut self, birth: &Birth) {
        self.origin = birth.identity.origin();
        self.digest_key = birth.identity.digest_key.clone();
        self.key_hasher = KeyHasher::new(self.digest_key.bytes());
        self.clock = Clock::after(self.clock.last().max(birth.clock));
        self.horizon = self.horizon.max(birth.horizon);
        self.format = birth.format;
    }

    /// Carries out a group of writes as one batch, together with rows of `local`.
    ///
    /// # Errors
    ///
    /// The store could not be read or written; [`StoreError`] says whether anything was changed.
    /// Damage to one record refuses only the writes to it.
    pub fn apply(
        &mut self,
        store: &dyn Store,
        writes: impl IntoIterator<Item = Write>,
        local: &[OwnedRow],
        now: UnixMillis,
        flush: Flush,
    ) -> Result<Outcome, StoreError> {
        let writes = writes.into_iter().map(|write| (write, Subject::Node));
        self.apply_for(store, writes, (local, &[]), now, flush)
    }

    /// The same for writes that somebody asked for, and with notices for the tamper-evident log.
    ///
    /// # Errors
    ///
    /// As [`Self::apply`].
    pub fn apply_for(
        &mut self,
        store: &dyn Store,
        writes: impl IntoIterator<Item = (Write, Subject)>,
        (local, notices): (&[OwnedRow], &[Notice]),
        now: UnixMillis,
        flush: Flush,
    ) -> Result<Outcome, StoreError> {
        let mut batch = Batch::default();
        for (name, value) in local {
            batch.put(Column::Local, name, value);
        }
        let mut group = self.group(store, now, batch);
        for notice in notices {
            self.note(&mut group, notice);
        }
        for (write, author) in writes {
            group.author = author;
            let result = match self.write(&mut group, write) {
                Err(error) if error.is_damage() => {
                    tracing::error!(%error, "a write is refused: what it would replace is damaged");
                    Err(Refused::Damaged)
                }
                result => result?,
            };
            group.outcome.results.push(result);
        }
        self.finish(store, group, flush)
    }

    fn group<'a>(&self, store: &'a dyn Read, now: UnixMillis, batch: Batch) -> Group<'a> {
        let (overlay, outcome) = (HashMap::new(), Outcome::default());
        let audit = self.audit.clone();
        Group { store, now, batch, overlay, outcome, audit, author: Subject::Node }
    }

    fn finish(
        &mut self,
        store: &dyn Store,
        mut group: Group<'_>,
        flush: Flush,
    ) -> Result<Outcome, StoreError> {
        if group.batch.is_empty() {
            return Ok(group.outcome);
        }
        let (before, after) = (&self.audit, &group.audit);
        if let Some(audit) = after
            && before.as_ref().map(Appender::size) != Some(audit.size())
        {
            audit.finish(&mut group.batch);
        }
        let clock_floor = self.raised_clock_floor(&mut group.batch, group.now);
        store.write(&group.batch, flush)?;
        self.clock_floor = clock_floor;
        self.audit = group.audit;
        Ok(group.outcome)
    }

    /// Adds an entry that is about no write of this group.
    fn note(&self, group: &mut Group<'_>, notice: &Notice) {
        let Notice { event, subject, ref record, outcome } = *notice;
        let key = record.as_ref().map(|record| self.key_hasher.hash(record));
        group.append(Said { event, subject, key, outcome });
    }

    /// Adds the entry of a version that this group commits, if it is for the log: what was accepted
    /// here, and what comes from a peer and is about accounts.
    fn log_commit(&self, group: &mut Group<'_>, record: &RecordId, merged: bool, head: &Head) {
        if group.audit.is_none() {
            return;
        }
        let (event, subject) = match (merged, head.body, record.kind) {
            (false, _, Kind::Meta) => (Event::Metadata(head.uuid), group.author),
            (false, BodyKind::Tombstone, _) => (Event::Delete(head.uuid), group.author),
            (false, ..) => (Event::Write(head.uuid), group.author),
            (true, ..) if Place::of(&record.key).is_some() => {
                (Event::AccountApplied(head.uuid), Subject::Peer(head.origin.node))
            }
            (true, ..) => return,
        };
        let key = Some(self.key_hasher.hash(record));
        group.append(Said { event, subject, key, outcome: AuditOutcome::Done });
    }

    /// The clock's floor once `batch` is written: a step beyond the last stamp, but no more than that
    /// beyond the wall clock. Else each sudden end would move the clock on by a step, and a node that
    /// dies again and again would come to stamp what no other one takes. A wall clock that is ahead does
    /// not move it: nobody has said that it is right.
    fn raised_clock_floor(&self, batch: &mut Batch, now: UnixMillis) -> Stamp {
        if self.clock.last() <= self.clock_floor {
            return self.clock_floor;
        }
        let last = self.clock.last();
        let floor = last.max(Stamp::at(last.millis().min(now).after(CLOCK_STEP)));
        batch.put(Column::Local, rows::local::CLOCK, &floor.bits().to_be_bytes());
        floor
    }

    /// Adds what a write does to the group. An error adds nothing.
    fn write(&mut self, group: &mut Group<'_>, write: Write) -> Result<WriteResult, StoreError> {
        let row = write.record.encode();
        let current = group.current(&row)?;
        let head = current.as_ref().map(|current| &current.head);
        // The clock moves on only if the write is committed.
        let mut clock = self.clock.clone();
        let stamp = clock.tick(group.now, head.map(|head| head.stamp));
        let moment = Moment { now: group.now, stamp, origin: self.origin };
        let absent = head.is_none_or(|head| head.absence(group.now).is_some());
        let merged = matches!(write.command, Command::Merge(_));
        let decision = decide(head, write.command, &moment);
        let (result, current) = match decision {
            Decision::Commit { version, replaced } => {
                // A version of this node carries the tick; one of a peer may lie behind it.
                self.clock = Clock::after(self.clock.last().max(version.stamp));
                let receipt = receipt(&version, absent);
                let replaced = current.zip(replaced);
                let current = self.commit(group, &write.record, &row, &version, replaced);
                self.log_commit(group, &write.record, merged, &current.head);
                (Ok(Applied::Committed(receipt)), Some(current))
            }
            Decision::Lost { version, reason } => {
                let current = current.map(|current| {
                    self.keep_loser(group, &write.record, &row, current, &version, reason)
                });
                (Ok(Applied::Lost(reason)), current.transpose()?)
            }
            Decision::Known => (Ok(Applied::Known), current),
            Decision::Reject(rejection) => (Err(rejection.into()), current),
        };
        group.overlay.insert(row, current);
        Ok(result)
    }

    /// Adds the rows of a new current version, the replaced one's going first.
    fn commit(
        &mut self,
        group: &mut Group<'_>,
        record: &RecordId,
        row: &[u8],
        version: &Version,
        replaced: Option<(Current, Superseded)>,
    ) -> Current {
        let mut revisions = Vec::new();
        if let Some((old, reason)) = replaced {
            group.remove_index(row, &old);
            group.outcome.removed.push(self.leaf(row, &old.head));
            group.outcome.superseded.push(reason);
            revisions.clone_from(&old.local.revisions);
            let id = RevisionId { stamp: old.head.stamp, uuid: old.head.uuid };
            self.add_revision(group, record, &mut revisions, id, reason, || {
                codec::version_of_row(&old.row)
            });
        }
        group.outcome.announce(record, version);
        let local = Local { sequence: self.next_sequence, revisions };
        self.next_sequence += 1;
        let head = version.head();
        group.add_index(row, &head, local.sequence);
        let leaf = self.leaf(row, &head);
        let entry = Entry::from(&head).to_bytes();
        group.batch.put(Column::Hidx, &rows::hidx(leaf.position, row), &entry);
        group.outcome.added.push(leaf);
        let value = codec::encode_row(&local, version, self.format);
        group.batch.put(Column::Data, row, &value);
        if version.origin == self.origin {
            let (sequence, record) = (local.sequence, Bytes::copy_from_slice(row));
            let version = codec::version_of_row(&value).unwrap_or_default().into();
            group.outcome.accepted.push(Accepted { sequence, record, version });
        }
        self.heed_format(group, record, version);
        Current { head, local, row: value }
    }

    /// Writes in a later format from here on, if that is what the version says.
    fn heed_format(&mut self, group: &mut Group<'_>, record: &RecordId, version: &Version) {
        if !record.key.is_system() || record.key.as_str() != format::KEY {
            return;
        }
        let Body::Value(value) = &version.body else { return };
        let Some(raised) = value.bytes().ok().and_then(|json| Format::parse(&json)) else { return };
        if raised > self.format {
            self.format = raised;
            let (name, format) = local::format_row(raised);
            group.batch.put(Column::Local, &name, &format);
        }
    }

    /// Keeps a version that lost on arrival as a revision of the one it lost against.
    fn keep_loser(
        &self,
        group: &mut Group<'_>,
        record: &RecordId,
        row: &[u8],
        mut current: Current,
        loser: &Version,
        reason: Superseded,
    ) -> Result<Current, StoreError> {
        let id = RevisionId { stamp: loser.stamp, uuid: loser.uuid };
        if current.local.revisions.contains(&id) {
            group.outcome.superseded.push(reason);
            return Ok(current);
        }
        let named = |error| rows::damaged(Column::Data, row, error);
        let (_, version) = codec::decode_row(&Bytes::from(current.row.clone())).map_err(named)?;
        group.outcome.superseded.push(reason);
        let mut revisions = current.local.revisions.clone();
        let encode = || Some(codec::encode(loser, self.format));
        self.add_revision(group, record, &mut revisions, id, reason, encode);
        if revisions != current.local.revisions {
            current.local.revisions = revisions;
            current.row = codec::encode_row(&current.local, &version, self.format);
            group.batch.put(Column::Data, row, &current.row);
        }
        Ok(current)
    }

    /// Keeps an older version, newest first, and drops what is beyond the bound.
    fn add_revision(
        &self,
        group: &mut Group<'_>,
        record: &RecordId,
        revisions: &mut Vec<RevisionId>,
        id: RevisionId,
        reason: Superseded,
        encoded: impl FnOnce() -> Option<Vec<u8>>,
    ) {
        if record.kind != Kind::Value || record.key.is_system() {
            return;
        }
        let at = revisions.partition_point(|kept| (kept.stamp, kept.uuid) > (id.stamp, id.uuid));
        revisions.insert(at, id);
        let kept = self.retention.keeps(revisions, group.now);
        if at < kept
            && let Some(version) = encoded()
        {
            let key = rows::revision(&record.key, id.stamp, id.uuid);
            group.batch.put(Column::Revisions, &key, &rows::revision_value(reason, &version));
        }
        for dropped in revisions.drain(kept..).filter(|dropped| *dropped != id) {
            let key = rows::revision(&record.key, dropped.stamp, dropped.uuid);
            group.batch.delete(Column::Revisions, &key);
        }
    }

    fn leaf(&self, row: &[u8], head: &Head) -> Leaf {
        let position = self.digest_key.position(row);
        Leaf { position, item: self.digest_key.item(row, &Entry::from(head)) }
    }
}

impl Group<'_> {
    fn append(&mut self, said: Said) {
        if let Some(audit) = &mut self.audit {
            audit.append(&mut self.batch, self.now, said);
        }
    }

    fn current(&mut self, row: &[u8]) -> Result<Option<Current>, StoreError> {
        if let Some(current) = self.overlay.remove(row) {
            return Ok(current);
        }
        let Some(value) = self.store.get(Column::Data, row)? else { return Ok(None) };
        let named = |error| rows::damaged(Column::Data, row, error);
        let (local, head) = codec::decode_row_head(&value).map_err(named)?;
        Ok(Some(Current { head, local, row: value }))
    }

    fn add_index(&mut self, row: &[u8], head: &Head, sequence: u64) {
        self.batch.put(Column::Log, &rows::log(sequence), row);
        self.batch.put(Column::ByTime, &rows::timed(head.stamp, row), &[]);
        if let Some(death) = head.dies() {
            self.batch.put(Column::Dies, &rows::timed(death, row), &[]);
        }
    }

    fn remove_index(&mut self, row: &[u8], old: &Current) {
        self.batch.delete(Column::Log, &rows::log(old.local.sequence));
        self.batch.delete(Column::ByTime, &rows::timed(old.head.stamp, row));
        if let Some(death) = old.head.dies() {
            self.batch.delete(Column::Dies, &rows::timed(death, row));
        }
    }
}

fn receipt(version: &Version, created: bool) -> Receipt {
    let Version { uuid, stamp, expires_at, .. } = *version;
    Receipt { uuid, stamp, created, expires_at }
}

#[cfg(test)]
mod tests;
