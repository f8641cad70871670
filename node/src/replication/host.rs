//! The store as replication sees it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use kvs_core::codec::{self, Local};
use kvs_core::digest::{DigestKey, Entry, Position, Summary};
use kvs_core::engine::{Cursor, Host, Note};
use kvs_core::members::{self, Member, Members};
use kvs_core::sync::{Listed, Replica};
use kvs_core::wire::{Admission, Sent};
use kvs_core::{
    Body, Command, ContentType, Format, Key, Kind, Prefix, RecordId, Stamp, UnixMillis, Value,
    Version, VersionId,
};
use uuid::Uuid;

use super::Standing;
use crate::digest::Digest;
use crate::local::{self, Birth, Identity, cluster};
use crate::node::Node;
use crate::store::{Column, Flush, OwnedRow, Store, StoreError, rows};
use crate::writer::{SubmitError, Write, WriteResult, Writer};

/// The way to the one who writes: a thread in a node, the applier itself in a simulation.
pub trait Commit {
    /// Merges versions and puts rows of `local`, all in one batch.
    ///
    /// # Errors
    ///
    /// Nothing was written, or the store failed.
    fn replicate(
        &mut self,
        versions: Vec<Write>,
        rows: Vec<OwnedRow>,
        flush: Flush,
    ) -> Result<Vec<WriteResult>, SubmitError>;

    /// Moves the clock to at least `to`, after all that was stamped before is committed.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn raise_clock(&mut self, to: Stamp) -> Result<Stamp, SubmitError>;

    /// Removes what was dead before `horizon`.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn collect(&mut self, horizon: Stamp) -> Result<(), SubmitError>;

    /// Goes on in an empty store as another node.
    ///
    /// # Errors
    ///
    /// The writer has ended.
    fn adopt(&mut self, birth: Birth) -> Result<(), SubmitError>;

    /// The stamp that was given out last.
    fn last_stamp(&self) -> Stamp;

    /// The position of the last commit.
    fn last_sequence(&self) -> u64;

    /// The format that versions are written in.
    fn format(&self) -> Format;
}

impl Commit for Writer {
    fn replicate(
        &mut self,
        versions: Vec<Write>,
        rows: Vec<OwnedRow>,
        flush: Flush,
    ) -> Result<Vec<WriteResult>, SubmitError> {
        Self::replicate(self, versions, rows, flush)
    }

    fn raise_clock(&mut self, to: Stamp) -> Result<Stamp, SubmitError> {
        Self::raise_clock(self, to)
    }

    fn collect(&mut self, horizon: Stamp) -> Result<(), SubmitError> {
        self.collect_blocking(horizon).map(drop)
    }

    fn adopt(&mut self, birth: Birth) -> Result<(), SubmitError> {
        Self::adopt(self, birth)
    }

    fn last_stamp(&self) -> Stamp {
        Stamp::from_bits(self.figures().last_stamp.load(Ordering::Acquire))
    }

    fn last_sequence(&self) -> u64 {
        *self.committed().borrow()
    }

    fn format(&self) -> Format {
        Self::format(self)
    }
}

/// The store of a node, and who writes to it.
#[derive(Clone, Debug)]
pub struct NodeHost<C> {
    /// Where rows lie.
    pub store: Arc<dyn Store>,
    /// Where they are counted.
    pub digest: Arc<Digest>,
    /// Who writes them.
    pub commit: C,
    /// Who the node is.
    pub identity: Identity,
    /// The cluster that an empty store is to be part of.
    pub cluster: Uuid,
    /// The secret that the digest tree gets if this node founds the cluster.
    pub birth_key: DigestKey,
    /// The store incarnation that positions in the own log belong to.
    pub incarnation: u64,
}

impl<C: Commit> Replica for NodeHost<C> {
    type Error = SubmitError;

    fn depth(&self) -> u32 {
        self.digest.depth()
    }

    fn summary(&self, level: u32, index: u64) -> Summary {
        self.digest.summary(level, index)
    }

    fn list(
        &self,
        start: Position,
        end: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Listed>, SubmitError> {
        let end = end.map_or(vec![0xff; 9], |end| end.0.to_be_bytes().to_vec());
        let mut index = self.store.cursor(Column::Hidx, &start.0.to_be_bytes(), &end);
        let mut listed = Vec::new();
        while listed.len() < limit
            && let Some((row, value)) = index.next()?
        {
            listed.push(self.listed(row, value)?);
        }
        Ok(listed)
    }
}

impl<C: Commit> Host for NodeHost<C> {
    fn clock(&self) -> Stamp {
        self.commit.last_stamp()
    }

    fn raise_clock(&mut self, to: Stamp) -> Result<Stamp, SubmitError> {
        self.commit.raise_clock(to)
    }

    fn comparable(&self) -> bool {
        self.digest.is_ready()
    }

    fn version(&self, record: &[u8]) -> Result<Option<Bytes>, SubmitError> {
        let Some(row) = self.store.get(Column::Data, record)? else { return Ok(None) };
        Ok(codec::version_of_row(&row).map(Bytes::from))
    }

    fn page(
        &self,
        from: Position,
        revisions_since: UnixMillis,
        bytes: usize,
    ) -> Result<(Vec<Sent>, Option<Position>), SubmitError> {
        let mut index = self.store.cursor(Column::Hidx, &from.0.to_be_bytes(), &[0xff; 9]);
        let (mut sent, mut size, mut last) = (Vec::new(), 0, from);
        while let Some((row, value)) = index.next()? {
            let Listed { position, record, .. } = self.listed(row, value)?;
            // A position is sent whole, so that the next page may begin behind it.
            if size >= bytes && position > last {
                return Ok((sent, Some(position)));
            }
            last = position;
            let before = sent.len();
            self.add_record(record, revisions_since, &mut sent)?;
            size += sent[before..].iter().map(Sent::size).sum::<usize>();
        }
        Ok((sent, None))
    }

    fn members(&self) -> Result<Members, SubmitError> {
        let prefix =
            Key::system(members::PREFIX).map_err(|error| StoreError::Failed(error.to_string()))?;
        let (start, end) = Prefix::Under(prefix).range(Kind::Value);
        let mut data = self.store.cursor(Column::Data, &start, &end);
        let mut found = Members::default();
        while let Some((row, value)) = data.next()? {
            let value = Bytes::copy_from_slice(value);
            let named = |error| rows::damaged(Column::Data, row, error);
            let (_, version) = codec::decode_row(&value).map_err(named)?;
            if let Body::Value(value) = &version.body
                && let Ok(json) = value.bytes()
                && let Some(member) = Member::parse(&json)
            {
                found.put(member);
            }
        }
        Ok(found)
    }

    fn log_end(&self) -> Cursor {
        Cursor { incarnation: self.incarnation, position: self.commit.last_sequence() }
    }

    fn digest_key(&self) -> [u8; 32] {
        *self.identity.digest_key.bytes()
    }

    fn apply(
        &mut self,
        versions: Vec<(RecordId, Version)>,
        notes: &[Note<'_>],
    ) -> Result<(), SubmitError> {
        let merge = |(record, version)| Write { record, command: Command::Merge(version) };
        let writes: Vec<Write> = versions.into_iter().map(merge).collect();
        let results = self.commit.replicate(writes, note_rows(notes), Flush::Later)?;
        match results.into_iter().find_map(Result::err) {
            None => Ok(()),
            Some(refused) => Err(StoreError::Damaged(refused.to_string()).into()),
        }
    }

    fn save(&mut self, notes: &[Note<'_>]) -> Result<(), SubmitError> {
        if notes.is_empty() {
            return Ok(self.store.sync()?);
        }
        self.commit.replicate(Vec::new(), note_rows(notes), Flush::Synced).map(drop)
    }

    fn collect(&mut self, horizon: Stamp) -> Result<(), SubmitError> {
        self.commit.collect(horizon)
    }

    fn enroll(&mut self, member: &Member) -> Result<(), SubmitError> {
        let record =
            Member::record(member.node).map_err(|error| StoreError::Failed(error.to_string()))?;
        self.put_own(record, member.to_json())
    }

    fn format(&self) -> Format {
        self.commit.format()
    }

    fn raise_format(&mut self, format: Format) -> Result<(), SubmitError> {
        let record = Format::record().map_err(|error| StoreError::Failed(error.to_string()))?;
        self.put_own(record, format.to_json())
    }

    fn adopt(
        &mut self,
        admission: Option<&Admission>,
        format: Format,
        notes: &[Note<'_>],
    ) -> Result<(), SubmitError> {
        let mut identity = self.identity.clone();
        identity.cluster = Some(self.cluster);
        let (mut clock, mut horizon) = (Stamp::MIN, Stamp::MIN);
        let is_empty = self.digest.root().is_some_and(|root| root.count == 0);
        let format = if is_empty { format } else { self.commit.format() };
        if let Some(admission) = admission {
            identity.digest_key = DigestKey::new(admission.digest_key);
            (clock, horizon) = (admission.pulse.clock, admission.pulse.horizon);
        } else if is_empty {
            identity.digest_key = self.birth_key.clone();
        }
        let mut rows = note_rows(notes);
        rows.push(cluster::identity_row(&identity));
        rows.push(local::format_row(format));
        self.commit.replicate(Vec::new(), rows, Flush::Synced)?;
        self.commit.adopt(Birth { identity: identity.clone(), clock, horizon, format })?;
        self.identity = identity;
        Ok(())
    }
}

impl<C: Commit> NodeHost<C> {
    /// The store of a running node, for answering peers.
    pub fn of(node: &Node, commit: C, standing: &Standing) -> Self {
        let digest_key = standing.digest_key.clone();
        Self {
            store: node.shared_store(),
            digest: node.shared_digest(),
            commit,
            identity: Identity { digest_key: digest_key.clone(), ..node.identity().clone() },
            // Whoever answers founds nothing.
            cluster: Uuid::nil(),
            birth_key: digest_key,
            incarnation: node.log_incarnation(),
        }
    }

    /// Writes a record of the cluster's as a write of this node, and brings it to disk.
    fn put_own(&mut self, record: RecordId, json: Vec<u8>) -> Result<(), SubmitError> {
        let value = Value::plain(ContentType::JSON, json.into());
        let command = Command::put(Body::Value(value), VersionId::new(Uuid::new_v4()));
        self.commit.replicate(vec![Write { record, command }], Vec::new(), Flush::Synced).map(drop)
    }

    fn listed(&self, row: &[u8], value: &[u8]) -> Result<Listed, StoreError> {
        let malformed = || StoreError::Damaged(format!("row {} of hidx", row.escape_ascii()));
        let (position, record) = row.split_first_chunk().ok_or_else(malformed)?;
        let entry = Entry::from_bytes(value).ok_or_else(malformed)?;
        Ok(Listed {
            position: Position(u64::from_be_bytes(*position)),
            record: record.to_vec(),
            entry,
            item: self.identity.digest_key.item(record, &entry),
        })
    }

    /// Adds a record's current version, and then its older ones: they lose against it, and are kept
    /// as revisions where they arrive.
    fn add_record(
        &self,
        record: Vec<u8>,
        revisions_since: UnixMillis,
        sent: &mut Vec<Sent>,
    ) -> Result<(), StoreError> {
        let Some(row) = self.store.get(Column::Data, &record)? else { return Ok(()) };
        let named = |error| rows::damaged(Column::Data, &record, error);
        let (local, _) = codec::decode_row_head(&row).map_err(named)?;
        let Some(version) = codec::version_of_row(&row) else { return Ok(()) };
        let older = self.revisions(&record, &local, revisions_since)?;
        let record = Bytes::from(record);
        sent.push(Sent { record: record.clone(), version: version.into() });
        sent.extend(older.into_iter().map(|version| Sent { record: record.clone(), version }));
        Ok(())
    }

    fn revisions(
        &self,
        record: &[u8],
        local: &Local,
        since: UnixMillis,
    ) -> Result<Vec<Bytes>, StoreError> {
        let young = local.revisions.iter().filter(|revision| revision.stamp.millis() >= since);
        let Ok(record) = RecordId::decode(record) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for revision in young {
            let key = rows::revision(&record.key, revision.stamp, revision.uuid);
            let value = self.store.get(Column::Revisions, &key)?;
            found.extend(value.map(|value| Bytes::from(value).slice(1..)));
        }
        Ok(found)
    }
}

fn note_rows(notes: &[Note<'_>]) -> Vec<OwnedRow> {
    let row = |note: &Note<'_>| match note {
        Note::Cursor(node, cursor) => cluster::cursor_row(*node, cursor),
        Note::Agreement(saved) => cluster::agreement_row(saved),
        Note::Bootstrap(bootstrap) => cluster::bootstrap_row(*bootstrap),
    };
    notes.iter().map(row).collect()
}
