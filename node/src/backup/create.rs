//! Makes a backup.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kvs_core::{NodeId, UnixMillis};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::archive::{self, Packed, Progress};
use super::shelf::{Shelf, ShelfError};
use super::{BackupName, Manifest, catalog, manifest};
use crate::digest;
use crate::local::copy;
use crate::store::{Column, OpenError, RocksOptions, RocksStore, StoreError};

/// The copy of the store within the data directory, while a backup is made of it.
const COPY: &str = "backup.tmp";
/// Levels of the tree that sums up the copy: 65,536 leaves, whatever the node's own has.
pub(super) const DEPTH: u32 = 4;

/// Why a backup was not made. Nothing of it is left, but for what the next one removes.
#[derive(Debug, Error)]
pub enum CreateError {
    /// The store cannot be copied.
    #[error("the store cannot be copied to {path}", path = .path.display())]
    Copy {
        /// The copy.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The copy cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The copy cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The place for backups fails.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

/// What is to be made, and of what.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) store: &'a RocksStore,
    pub(super) data_dir: &'a Path,
    pub(super) shelf: &'a dyn Shelf,
    pub(super) name: &'a BackupName,
    pub(super) node: NodeId,
    pub(super) node_name: &'a str,
    pub(super) at: UnixMillis,
    pub(super) stop: &'a CancellationToken,
    pub(super) progress: &'a Progress,
}

/// Makes a backup, on a thread that may wait. The store is written to meanwhile.
pub(super) fn create(order: &Order<'_>) -> Result<Manifest, CreateError> {
    catalog::tidy(order.shelf, order.node)?;
    let copy = Copy::make(order)?;
    let said = copy.settle()?;
    let packed = order.pack(&copy)?;
    let manifest = order.manifest(said, packed);
    let bytes = manifest.to_bytes().map_err(|error| StoreError::Failed(error.to_string()))?;
    let write = |out: &mut dyn io::Write| out.write_all(&bytes);
    order.shelf.write(&order.name.manifest(), order.stop, &mut { write })?;
    Ok(manifest)
}

/// A copy of the store; removed when dropped.
struct Copy {
    path: PathBuf,
}

/// What the copy says of itself.
struct Said {
    local: copy::Inspected,
    root: kvs_core::digest::Summary,
}

impl Copy {
    /// Has the store make it: its files are linked where they do not change any more.
    fn make(order: &Order<'_>) -> Result<Self, CreateError> {
        let path = order.data_dir.join(COPY);
        let failed = |source| CreateError::Copy { path: path.clone(), source };
        remove(&path).and_then(|()| fs::create_dir(&path)).map_err(failed)?;
        let copy = Self { path };
        order.store.checkpoint(&copy.path)?;
        Ok(copy)
    }

    /// Lets the copy replay its log, leave out what is not for others, and say what it holds.
    fn settle(&self) -> Result<Said, CreateError> {
        let store = RocksStore::open(&self.path, &options())?;
        copy::strip(&store)?;
        // Nothing that was deleted may be left in a file.
        store.compact(Column::Local)?;
        let local = copy::inspect(&store)?;
        let root = digest::of_index(&store, &local.identity.digest_key, DEPTH)?;
        Ok(Said { local, root })
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, "the store's copy of a backup is not removed; the next one will");
        }
    }
}

impl Order<'_> {
    fn pack(&self, copy: &Copy) -> Result<Packed, CreateError> {
        let mut packed = None;
        let store = RocksStore::directory(&copy.path);
        let mut pack = |out: &mut dyn io::Write| {
            packed = Some(archive::pack(&store, out, self.progress)?);
            Ok(())
        };
        self.shelf.write(&self.name.archive(), self.stop, &mut pack)?;
        packed.ok_or_else(|| StoreError::Failed("nothing was packed".into()).into())
    }

    fn manifest(&self, said: Said, packed: Packed) -> Manifest {
        let Said { local, root } = said;
        Manifest {
            format: manifest::FORMAT,
            name: self.name.to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            created: self.at.0,
            cluster: local.identity.cluster,
            node: local.identity.node.uuid(),
            node_name: self.node_name.to_owned(),
            store_format: local.format.number().into(),
            clock: local.clock,
            held: local.held,
            horizon: local.horizon,
            root: root.to_string(),
            records: root.count.into(),
            archive: packed.archive,
            files: packed.files,
        }
    }
}

/// Little memory: the copy is read once, from one end to the other.
pub(super) const fn options() -> RocksOptions {
    RocksOptions { block_cache: 8 << 20, write_buffer: 16 << 20, disk_reserve: 0 }
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
