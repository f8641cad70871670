//! Makes a conflict: one key, one stamp, different versions in several data directories, as two
//! nodes make it that take a write in the same instant. For seeing `merge` at work.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use kvs_client::cluster_file::FileError;
use kvs_config::Settings;
use kvs_core::{
    Body, Command, ContentType, Key, NodeId, RecordId, Stamp, UnixMillis, Value, Version, VersionId,
};
use thiserror::Error;
use uuid::Uuid;

use crate::local::{self, LocalState};
use crate::records;
use crate::store::{
    Column, DataLock, Flush, LockError, OpenError, Read as _, RocksOptions, RocksStore, Store as _,
    StoreError,
};
use crate::writer::{Applier, Retention, Write};

/// A data directory and what its node is to have written.
#[derive(Clone, Debug)]
pub struct Side {
    /// The directory; made, with a new node's identity, if it is not there.
    pub dir: PathBuf,
    /// The value, as JSON text.
    pub value: Bytes,
}

/// The version that was written to one directory.
#[derive(Clone, Debug)]
pub struct Planted {
    /// The directory.
    pub dir: PathBuf,
    /// Its node.
    pub node: NodeId,
    /// The version; its body is the value.
    pub version: Version,
}

/// Why a conflict could not be made. Directories that come before the one at fault may have their
/// version already; making the conflict again is safe.
#[derive(Debug, Error)]
pub enum ConflictError {
    /// A directory is in use.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// A store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The directories are of several clusters.
    #[error(
        "{one} is of cluster {first}, and {other} of cluster {second}: take directories of one \
         cluster, or new ones",
        one = .one.display(), other = .other.display()
    )]
    SeveralClusters {
        /// A directory.
        one: PathBuf,
        /// Its cluster.
        first: Uuid,
        /// Another directory.
        other: PathBuf,
        /// Its cluster.
        second: Uuid,
    },
    /// A directory has data and is of no cluster.
    #[error(
        "{dir} has data of a node that stood alone, and cannot be made one of a cluster: take a \
         directory of a cluster, or a new one",
        dir = .0.display()
    )]
    StoodAlone(PathBuf),
    /// A cluster file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A store cannot be read or written.
    #[error("{dir}: {source}", dir = .dir.display())]
    Store {
        /// The directory.
        dir: PathBuf,
        /// What went wrong.
        source: StoreError,
    },
}

/// Planting a version must not shorten the history that its key has.
const RETENTION: Retention = Retention { count: kvs_core::codec::MAX_REVISIONS, max_age: None };

/// An opened directory.
struct Site {
    dir: PathBuf,
    value: Bytes,
    state: LocalState,
    store: RocksStore,
    applier: Applier,
    _lock: DataLock,
}

mod alliance;

/// Writes a version of `key` to each directory: the same stamp, later than all there is, and each
/// its own node's. New nodes join in the order given, so that the first one is the oldest. The nodes
/// are members of one cluster then: of the one that some of them are of, or of a new one.
///
/// # Errors
///
/// A directory is in use, or its store cannot be opened, read or written; or the directories cannot
/// be of one cluster.
pub fn plant(key: &Key, sides: &[Side], now: UnixMillis) -> Result<Vec<Planted>, ConflictError> {
    let record = RecordId::value(key.clone());
    let joins = (now.0..).map(UnixMillis);
    let sites = sides.iter().zip(joins).map(|(side, joined)| Site::open(side, joined));
    let mut sites = sites.collect::<Result<Vec<_>, _>>()?;
    alliance::form(&mut sites)?;
    let mut stamp = Stamp::at(now);
    for site in &sites {
        stamp = stamp.max(site.latest(&record)?);
    }
    sites.into_iter().map(|site| site.write(&record, stamp.next())).collect()
}

/// The version that every node will have once all have met.
pub fn winner(planted: &[Planted]) -> Option<&Planted> {
    planted.iter().max_by_key(|planted| planted.version.rank())
}

impl Site {
    fn open(side: &Side, joined: UnixMillis) -> Result<Self, ConflictError> {
        let lock = DataLock::take(&side.dir)?;
        let store = RocksStore::open(&side.dir, &options())?;
        let state = local::open(&store, &side.dir, joined)?;
        let applier = Applier::new(&state, RETENTION);
        let (dir, value) = (side.dir.clone(), side.value.clone());
        Ok(Self { dir, value, state, store, applier, _lock: lock })
    }

    /// The latest stamp that this directory knows of.
    fn latest(&self, record: &RecordId) -> Result<Stamp, ConflictError> {
        let row = record.encode();
        let value = self.store.get(Column::Data, &row).map_err(|error| self.failed(error))?;
        let Some(value) = value else { return Ok(self.applier.last_stamp()) };
        let (_, version) = records::decode(&row, value).map_err(|error| self.failed(error))?;
        Ok(version.stamp.max(self.applier.last_stamp()))
    }

    fn write(mut self, record: &RecordId, stamp: Stamp) -> Result<Planted, ConflictError> {
        let version = self.version(stamp, self.value.clone());
        self.commit(record, &version).map_err(|error| self.failed(error))?;
        self.close().map_err(|error| self.failed(error))?;
        Ok(Planted { dir: self.dir, node: self.state.identity.node, version })
    }

    /// A version of this node's.
    fn version(&self, stamp: Stamp, json: Bytes) -> Version {
        Version {
            stamp,
            origin: self.state.identity.origin(),
            uuid: VersionId::new(Uuid::new_v4()),
            created_at: stamp.millis(),
            owner: None,
            expires_at: None,
            body: Body::Value(Value::plain(ContentType::JSON, json)),
        }
    }

    fn commit(&mut self, record: &RecordId, version: &Version) -> Result<(), StoreError> {
        let command = Command::Merge(version.clone());
        let write = Write { record: record.clone(), command };
        let now = version.stamp.millis();
        self.applier.apply(&self.store, [write], &[], now, Flush::Synced)?;
        Ok(())
    }

    fn close(&self) -> Result<(), StoreError> {
        self.store.sync()?;
        local::close(&self.store, self.applier.last_sequence() + 1, self.applier.last_stamp())
    }

    fn failed(&self, source: StoreError) -> ConflictError {
        ConflictError::Store { dir: self.dir.clone(), source }
    }
}

fn options() -> RocksOptions {
    let settings = Settings::default();
    RocksOptions {
        block_cache: settings.block_cache.as_len(),
        write_buffer: settings.write_buffer.as_len(),
        disk_reserve: settings.disk_reserve.as_bytes(),
    }
}

/// Reads the version of `key` that a directory holds, while no node runs on it.
///
/// # Errors
///
/// The directory is in use, or its store cannot be opened or read.
pub fn read(key: &Key, dir: &Path) -> Result<Option<Version>, ConflictError> {
    let failed = |source| ConflictError::Store { dir: dir.to_owned(), source };
    let _lock = DataLock::take(dir)?;
    let store = RocksStore::open(dir, &options())?;
    let row = RecordId::value(key.clone()).encode();
    let value = store.get(Column::Data, &row).map_err(failed)?;
    value
        .map(|value| records::decode(&row, value).map(|(_, version)| version))
        .transpose()
        .map_err(failed)
}
