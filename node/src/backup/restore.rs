//! Brings a backup back, as the store of a new node.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use kvs_client::ClusterFile;
use kvs_client::cluster_file::FileError;
use kvs_core::members::{Member, Standing};
use kvs_core::{Body, Command, ContentType, NodeId, UnixMillis, Value, VersionId};
use thiserror::Error;
use uuid::Uuid;

use super::archive::{self, Progress};
use super::catalog::{self, CatalogError};
use super::create::{DEPTH, options, remove};
use super::shelf::Shelf;
use super::{BackupName, Manifest};
use crate::audit::archive::Archives;
use crate::audit::{self, RetireError};
use crate::config::CLUSTER_FILE;
use crate::digest;
use crate::local::{self, copy};
use crate::store::{DataLock, Flush, LockError, OpenError, RocksStore, StoreError};
use crate::writer::{Applier, Retention, Write};

/// What is there while a directory is being restored into: no node runs on it.
pub const RESTORING: &str = "restoring";

/// What names the backup that was restored into a directory, until a node runs on it.
const RESTORED: &str = "restored";

/// What an empty data directory may have.
const EMPTY: [&str; 4] = ["kvs.lock", CLUSTER_FILE, RESTORING, "lost+found"];

/// What is to be restored, and to where.
#[derive(Debug)]
pub struct Order<'a> {
    /// Where the backup lies.
    pub shelf: &'a dyn Shelf,
    /// Which it is.
    pub name: &'a BackupName,
    /// The data directory of the new node.
    pub data_dir: &'a Path,
    /// The file of the cluster that it is to be of; a new cluster's if there is none here and there.
    pub cluster: Option<ClusterFile>,
    /// The display name of the new node.
    pub node_name: &'a str,
    /// Wall time.
    pub now: UnixMillis,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the backup said.
    pub manifest: Manifest,
    /// The new node.
    pub node: NodeId,
    /// The cluster that it is of.
    pub cluster: Uuid,
    /// Whether that cluster is a new one.
    pub new_cluster: bool,
    /// Records that the node has, its own one as a member included.
    pub records: u64,
}

/// Why a backup was not restored. The directory then holds nothing that a node would take for data.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// There is something already.
    #[error(
        "{dir} has {what} in it: a backup is restored only into an empty directory; choose another, \
         or empty it first",
        dir = .dir.display()
    )]
    NotEmpty {
        /// The data directory.
        dir: PathBuf,
        /// What is there.
        what: String,
    },
    /// Somebody uses the directory.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The backup cannot be read, or is not whole.
    #[error(transparent)]
    Backup(#[from] CatalogError),
    /// It is of another cluster than the node is to be.
    #[error(
        "the backup is of cluster {found}, and the cluster file of cluster {wanted}: give the file \
         of its cluster, or none to make a new cluster of it"
    )]
    Foreign {
        /// The backup's cluster.
        found: Uuid,
        /// The file's.
        wanted: Uuid,
    },
    /// There is a cluster file, and it is another one.
    #[error(
        "{path} is of cluster {found}, and the file that was given of cluster {wanted}",
        path = .path.display()
    )]
    OtherFile {
        /// The file in the data directory.
        path: PathBuf,
        /// Its cluster.
        found: Uuid,
        /// That of the other.
        wanted: Uuid,
    },
    /// The cluster file cannot be used.
    #[error(transparent)]
    ClusterFile(#[from] FileError),
    /// It does not fit.
    #[error("the backup takes {needed} bytes, and {dir} has room for {free}", dir = .dir.display())]
    NoRoom {
        /// The data directory.
        dir: PathBuf,
        /// Bytes of the backup's files.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// All hashes are right, and yet the records are not what the manifest says.
    #[error(
        "backup {name}: its files hold {found_records} records with the digest {found}, and its \
         manifest says {records} with {wanted}"
    )]
    Content {
        /// The backup.
        name: BackupName,
        /// The digest of what is there.
        found: String,
        /// How many that are.
        found_records: u64,
        /// The manifest's digest.
        wanted: String,
        /// How many it says.
        records: u64,
    },
    /// The tamper-evident log in it cannot be put aside.
    #[error(transparent)]
    Audit(#[from] RetireError),
    /// A file cannot be written.
    #[error("cannot write {path}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store in it cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store in it cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a node's data directory of a backup. Whatever the node was called that made it, this is a
/// new one: it has another id, knows no other members, and is the first of its cluster.
///
/// # Errors
///
/// The backup is not whole, too new or of another cluster, or the directory is not empty. A restore
/// that was killed leaves a directory that no node starts on, and that it can be restored into again; one that
/// was killed when all was done is found done.
pub fn restore(order: &Order<'_>, progress: &Progress) -> Result<Restored, RestoreError> {
    let dir = order.data_dir;
    let manifest = catalog::read_manifest(order.shelf, order.name)?;
    if is_restored(dir, order.name) {
        return order.found(manifest);
    }
    check_empty(dir)?;
    let _lock = DataLock::take(dir)?;
    let cluster = order.cluster_file(&manifest)?;
    clear(dir).map_err(failed(dir))?;
    check_room(dir, manifest.bytes())?;
    let site = Site::begin(dir)?;
    site.unpack(order, &manifest, progress)?;
    let restored = site.renew(order, manifest, &cluster)?;
    site.finish(&cluster.file, order.name)?;
    Ok(restored)
}

/// A node is to run on a data directory: from then on it is no longer what was restored.
///
/// # Errors
///
/// A restore into it was broken off, or it cannot be written.
pub fn hand_over(data_dir: &Path) -> Result<(), OpenError> {
    let refused = |reason| OpenError::Failed { path: data_dir.to_owned(), reason };
    if is_broken_off(data_dir) {
        let reason = "a restore into it was broken off: remove what is in it and restore again";
        return Err(refused(reason.into()));
    }
    forget(data_dir).map_err(|error| refused(format!("cannot remove {RESTORED} in it: {error}")))
}

/// Removes the note of what was restored.
fn forget(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(data_dir.join(RESTORED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether this backup was restored into it, and no node ran on it since.
fn is_restored(data_dir: &Path, name: &BackupName) -> bool {
    let note = fs::read_to_string(data_dir.join(RESTORED));
    note.is_ok_and(|note| note == name.as_str()) && !is_broken_off(data_dir)
}

/// Whether a restore into it began and did not come to its end. What is left of one that did and was
/// killed then is an empty folder beside the store.
fn is_broken_off(data_dir: &Path) -> bool {
    let site = data_dir.join(RESTORING);
    let is_left = fs::read_dir(&site).is_ok_and(|mut entries| entries.next().is_none());
    site.exists() && !(is_left && RocksStore::directory(data_dir).exists())
}

/// Removes what a restore that was broken off left. That there was one is known until all is gone.
fn clear(data_dir: &Path) -> io::Result<()> {
    if is_broken_off(data_dir) {
        remove(&RocksStore::directory(data_dir))?;
        remove(Archives::of(data_dir).folder())?;
        forget(data_dir)?;
    }
    remove(&data_dir.join(RESTORING))
}

/// The cluster that the node is to be of.
struct Cluster {
    file: ClusterFile,
    new: bool,
}

impl Order<'_> {
    /// What was restored by this very order before, and then never used.
    fn found(&self, manifest: Manifest) -> Result<Restored, RestoreError> {
        let _lock = DataLock::take(self.data_dir)?;
        let path = self.data_dir.join(CLUSTER_FILE);
        let found = ClusterFile::load(&path)?.cluster();
        if let Some(given) = self.cluster.as_ref().filter(|given| given.cluster() != found) {
            return Err(RestoreError::OtherFile { path, found, wanted: given.cluster() });
        }
        let store = RocksStore::open(self.data_dir, &options())?;
        let identity = copy::inspect(&store)?.identity;
        let records = digest::of_index(&store, &identity.digest_key, DEPTH)?.count.into();
        let new_cluster = manifest.cluster != Some(found);
        remove(&self.data_dir.join(RESTORING)).map_err(failed(self.data_dir))?;
        Ok(Restored { manifest, node: identity.node, cluster: found, new_cluster, records })
    }

    fn cluster_file(&self, manifest: &Manifest) -> Result<Cluster, RestoreError> {
        let path = self.data_dir.join(CLUSTER_FILE);
        let own = path.exists().then(|| ClusterFile::load(&path)).transpose()?;
        if let (Some(own), Some(given)) = (&own, &self.cluster)
            && own.cluster() != given.cluster()
        {
            let (found, wanted) = (own.cluster(), given.cluster());
            return Err(RestoreError::OtherFile { path, found, wanted });
        }
        let Some(file) = self.cluster.clone().or(own) else {
            let file = ClusterFile::new(rand::random(), rand::random(), rand::random());
            return Ok(Cluster { file, new: true });
        };
        match manifest.cluster.filter(|found| *found != file.cluster()) {
            None => Ok(Cluster { file, new: false }),
            Some(found) => Err(RestoreError::Foreign { found, wanted: file.cluster() }),
        }
    }
}

/// Where the store is put together, within the data directory.
struct Site<'a> {
    dir: &'a Path,
    path: PathBuf,
}

impl<'a> Site<'a> {
    fn begin(dir: &'a Path) -> Result<Self, RestoreError> {
        let site = Self { dir, path: dir.join(RESTORING) };
        fs::create_dir(&site.path).map_err(failed(&site.path))?;
        sync(dir)?;
        let store = RocksStore::directory(&site.path);
        fs::create_dir(&store).map_err(failed(&store))?;
        Ok(site)
    }

    fn unpack(
        &self,
        order: &Order<'_>,
        manifest: &Manifest,
        progress: &Progress,
    ) -> Result<(), RestoreError> {
        let data = order.shelf.open(&order.name.archive()).map_err(CatalogError::from)?;
        let store = RocksStore::directory(&self.path);
        let damage = |source| CatalogError::Damage { name: order.name.clone(), source };
        archive::unpack(manifest, data, Some(&store), progress).map_err(damage)?;
        sync(&store)
    }

    /// Compares what is in the store with the manifest, and makes it the store of a new node.
    fn renew(
        &self,
        order: &Order<'_>,
        manifest: Manifest,
        cluster: &Cluster,
    ) -> Result<Restored, RestoreError> {
        let store = RocksStore::open(&self.path, &options())?;
        let key = copy::inspect(&store)?.identity.digest_key;
        let root = digest::derive(&store, &key, DEPTH)?;
        if (root.to_string(), u64::from(root.count)) != (manifest.root.clone(), manifest.records) {
            return Err(RestoreError::Content {
                name: order.name.clone(),
                found: root.to_string(),
                found_records: root.count.into(),
                wanted: manifest.root,
                records: manifest.records,
            });
        }
        // The log of the node that made the backup is no log of this one.
        audit::retire(&store, &self.path)?;
        let id = cluster.file.cluster();
        copy::renew(&store, id, cluster.new, order.now)?;
        let node = enroll(&store, &self.path, order)?;
        let records = digest::of_index(&store, &key, DEPTH)?.count.into();
        Ok(Restored { manifest, node, cluster: id, new_cluster: cluster.new, records })
    }

    /// Puts the store in its place. A node refuses the directory until the cluster file is there as
    /// well, which comes last.
    fn finish(&self, file: &ClusterFile, name: &BackupName) -> Result<(), RestoreError> {
        // First, so that the folder is not empty before the last step.
        file.save(&self.path.join(CLUSTER_FILE))?;
        let note = self.path.join(RESTORED);
        fs::write(&note, name.as_str()).map_err(failed(&note))?;
        sync(&note)?;
        sync(&self.path)?;
        let (from, to) = (RocksStore::directory(&self.path), RocksStore::directory(self.dir));
        fs::rename(&from, &to).map_err(failed(&to))?;
        let (from, to) = (Archives::of(&self.path), Archives::of(self.dir));
        if from.folder().exists() {
            fs::rename(from.folder(), to.folder()).map_err(failed(to.folder()))?;
        }
        let to = self.dir.join(RESTORED);
        fs::rename(&note, &to).map_err(failed(&to))?;
        let (from, to) = (self.path.join(CLUSTER_FILE), self.dir.join(CLUSTER_FILE));
        sync(self.dir)?;
        fs::rename(&from, &to).map_err(failed(&to))?;
        sync(self.dir)?;
        fs::remove_dir(&self.path).map_err(failed(&self.path))?;
        sync(self.dir)
    }
}

/// Makes the new node the first member of its cluster.
fn enroll(store: &RocksStore, path: &Path, order: &Order<'_>) -> Result<NodeId, RestoreError> {
    let state = local::open(store, path, order.now)?;
    let mut applier = Applier::new(&state, Retention { count: 0, max_age: None });
    let identity = state.identity;
    let member = Member {
        node: identity.node,
        name: order.node_name.to_owned(),
        joined: identity.joined,
        admission: rand::random(),
        standing: Standing::Joined,
    };
    let record =
        Member::record(member.node).map_err(|error| StoreError::Failed(error.to_string()))?;
    let value = Value::plain(ContentType::JSON, member.to_json().into());
    let command = Command::put(Body::Value(value), VersionId::new(Uuid::new_v4()));
    applier.apply(store, [Write { record, command }], &[], order.now, Flush::Synced)?;
    local::close(store, applier.last_sequence() + 1, applier.last_stamp())?;
    Ok(identity.node)
}

fn check_empty(dir: &Path) -> Result<(), RestoreError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(dir)(error)),
    };
    let left = is_broken_off(dir).then(|| {
        [RocksStore::directory(dir), Archives::of(dir).folder().into(), dir.join(RESTORED)]
    });
    for entry in entries {
        let entry = entry.map_err(failed(dir))?;
        let name = entry.file_name();
        let is_left = left.iter().flatten().any(|left| *left == entry.path());
        if !is_left && !EMPTY.iter().any(|known| name == *known) {
            let what = name.to_string_lossy().into_owned();
            return Err(RestoreError::NotEmpty { dir: dir.to_owned(), what });
        }
    }
    Ok(())
}

fn check_room(dir: &Path, needed: u64) -> Result<(), RestoreError> {
    let stat = rustix::fs::statvfs(dir).map_err(|error| failed(dir)(error.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if needed <= free {
        return Ok(());
    }
    Err(RestoreError::NoRoom { dir: dir.to_owned(), needed, free })
}

fn sync(path: &Path) -> Result<(), RestoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> RestoreError {
    move |source| RestoreError::Io { path: path.to_owned(), source }
}
