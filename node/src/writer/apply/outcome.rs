//! What is asked of the writer, and what became of it.

use std::time::Duration;

use bytes::Bytes;
use kvs_core::codec::{self, RevisionId};
use kvs_core::digest::Leaf;
use kvs_core::{
    Command, Key, Kind, RecordId, Rejection, Stamp, Superseded, UnixMillis, Version, VersionId,
};
use thiserror::Error;

/// A command on one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Of which record.
    pub record: RecordId,
    /// What to do.
    pub command: Command,
}

impl Write {
    /// Roughly how many bytes the write occupies while it waits.
    pub fn bytes(&self) -> usize {
        let mut command = &self.command;
        while let Command::Guarded(_, inner) = command {
            command = inner;
        }
        let body = match command {
            Command::Put { body, .. } | Command::Merge(Version { body, .. }) => body,
            Command::Delete { .. } | Command::Guarded(..) => return 256,
        };
        match body {
            kvs_core::Body::Value(value) => 256 + value.stored_len(),
            _ => 256,
        }
    }
}

/// What became of a write.
pub type WriteResult = Result<Applied, Refused>;

/// Why one write was not carried out, though the others of its group were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Its command does not fit what is there.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// What it would replace cannot be read; the log names it.
    #[error("the current version is damaged")]
    Damaged,
}

/// What a write that was not rejected did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It made the current version.
    Committed(Receipt),
    /// Its version lost against the current one.
    Lost(Superseded),
    /// Its version was the current one already.
    Known,
}

/// What names a committed version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its identity.
    pub uuid: VersionId,
    /// When it was written.
    pub stamp: Stamp,
    /// Whether the record was absent before.
    pub created: bool,
    /// When it expires.
    pub expires_at: Option<UnixMillis>,
}

/// What one group did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A result per write, in order.
    pub results: Vec<WriteResult>,
    /// Versions that lost, by reason.
    pub superseded: Vec<Superseded>,
    /// What left the digest tree.
    pub removed: Vec<Leaf>,
    /// What entered the digest tree.
    pub added: Vec<Leaf>,
    /// The versions that this node accepted from clients, in commit order.
    pub accepted: Vec<Accepted>,
    /// The system's own records that have new versions.
    pub system: Vec<(Key, Version)>,
    /// Keys whose metadata has new versions.
    pub metadata: Vec<Key>,
}

impl Outcome {
    /// Notes what others want to know at once: who may do what.
    pub(super) fn announce(&mut self, record: &RecordId, version: &Version) {
        if record.kind == Kind::Meta {
            self.metadata.push(record.key.clone());
        } else if record.key.is_system() {
            self.system.push((record.key.clone(), version.clone()));
        }
    }
}

/// A version that this node accepted from a client and that other nodes are to have.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its position in `log`.
    pub sequence: u64,
    /// Its record, as on disk.
    pub record: Bytes,
    /// The version as it travels.
    pub version: Bytes,
}

/// Which older versions of a value are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// At most so many per key; 0 keeps none.
    pub count: usize,
    /// None written longer ago than this. They leave the disk with the key's next write.
    pub max_age: Option<Duration>,
}

impl Retention {
    /// How many of `revisions`, which lie newest first, are kept at `now`.
    pub(super) fn keeps(&self, revisions: &[RevisionId], now: UnixMillis) -> usize {
        let oldest = self.max_age.map_or(Stamp::MIN, |age| Stamp::at(now.before(age)));
        let young = revisions.partition_point(|revision| revision.stamp >= oldest);
        young.min(self.count).min(codec::MAX_REVISIONS)
    }
}
