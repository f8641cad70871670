//! What backups there are, whether they are whole, and which are too old.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use kvs_client::Backup;
use kvs_core::{NodeId, UnixMillis};
use thiserror::Error;

use super::archive::{self, DamageError, Progress};
use super::shelf::{self, Shelf, ShelfError};
use super::{BackupName, Manifest, ManifestError};

/// A backup as it lies there.
#[derive(Debug)]
pub struct Found {
    /// Its name.
    pub name: BackupName,
    /// Bytes of its data.
    pub size: u64,
    /// What it says of itself, or why it cannot be restored.
    pub manifest: Result<Manifest, String>,
}

/// Why a backup cannot be used.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// The place where it lies.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// Its manifest is not believed.
    #[error("backup {name}: {source}")]
    Manifest {
        /// The backup.
        name: BackupName,
        /// Why.
        source: ManifestError,
    },
    /// Its data is not what the manifest says.
    #[error("backup {name}: {source}")]
    Damage {
        /// The backup.
        name: BackupName,
        /// What is wrong with it.
        source: DamageError,
    },
}

impl Found {
    /// As the API tells it.
    pub fn view(&self) -> Backup {
        let (name, size) = (self.name.to_string(), self.size);
        match &self.manifest {
            Ok(manifest) => Backup { size, ..view(manifest) },
            Err(reason) => Backup {
                name,
                created: None,
                node: None,
                cluster: None,
                size,
                records: None,
                root: None,
                damaged: Some(reason.clone()),
            },
        }
    }
}

/// A whole backup as the API tells it.
pub(super) fn view(manifest: &Manifest) -> Backup {
    Backup {
        name: manifest.name.clone(),
        created: Some(manifest.created),
        node: Some(manifest.node),
        cluster: manifest.cluster,
        size: manifest.archive.size,
        records: Some(manifest.records),
        root: Some(manifest.root.clone()),
        damaged: None,
    }
}

/// The backups that are there, newest first. Their data is not read, only its length.
///
/// # Errors
///
/// The place cannot be read.
pub fn find(shelf: &dyn Shelf) -> Result<Vec<Found>, ShelfError> {
    let files: BTreeMap<String, u64> =
        shelf.list()?.into_iter().map(|stored| (stored.file, stored.size)).collect();
    let mut found = Vec::new();
    for name in files.keys().filter_map(|file| BackupName::of_manifest(file)) {
        let size = files.get(&name.archive()).copied();
        let manifest = read_manifest(shelf, &name).map_err(|error| error.to_string());
        let manifest = manifest.and_then(|manifest| match size {
            Some(size) if size == manifest.archive.size => Ok(manifest),
            Some(size) => Err(format!("its data has {size} bytes of {}", manifest.archive.size)),
            None => Err("its data is missing".to_owned()),
        });
        found.push(Found { size: size.unwrap_or(0), name, manifest });
    }
    // The time is the last part of a name.
    let time = |found: &Found| Reverse(found.name.as_str().rsplit('-').next().map(str::to_owned));
    found.sort_by_cached_key(time);
    Ok(found)
}

/// What a backup says of itself.
pub(super) fn read_manifest(
    shelf: &dyn Shelf,
    name: &BackupName,
) -> Result<Manifest, CatalogError> {
    let bytes = shelf::read(shelf, &name.manifest())?;
    Manifest::read(name, &bytes)
        .map_err(|source| CatalogError::Manifest { name: name.clone(), source })
}

/// Reads all of a backup and compares every hash.
///
/// # Errors
///
/// It is not whole, or cannot be read.
pub fn verify(
    shelf: &dyn Shelf,
    name: &BackupName,
    progress: &Progress,
) -> Result<Manifest, CatalogError> {
    let manifest = read_manifest(shelf, name)?;
    let data = shelf.open(&name.archive())?;
    archive::unpack(&manifest, data, None, progress)
        .map_err(|source| CatalogError::Damage { name: name.clone(), source })?;
    Ok(manifest)
}

/// Deletes a backup; says whether there was any of it. The manifest goes first: what is left of a
/// backup then is none.
pub(super) fn delete(shelf: &dyn Shelf, name: &BackupName) -> Result<bool, ShelfError> {
    let files = [name.manifest(), name.archive()];
    let there = shelf.list()?.iter().any(|stored| files.contains(&stored.file));
    for file in files {
        shelf.delete(&file)?;
    }
    Ok(there)
}

/// Removes what a node left that was killed in the middle of a backup.
pub(super) fn tidy(shelf: &dyn Shelf, node: NodeId) -> Result<(), ShelfError> {
    shelf.tidy(&BackupName::prefix(node))?;
    let files = shelf.list()?;
    let is_there = |file: &str| files.iter().any(|stored| stored.file == file);
    let names = files.iter().filter_map(|stored| BackupName::of_archive(&stored.file));
    for name in names.filter(|name| name.is_of(node) && !is_there(&name.manifest())) {
        tracing::info!(backup = %name, "half a backup of an earlier run is removed");
        shelf.delete(&name.archive())?;
    }
    Ok(())
}

/// Deletes a node's backups that are older than `retention`, but never the newest that is whole.
pub(super) fn prune(
    shelf: &dyn Shelf,
    node: NodeId,
    retention: Duration,
    now: UnixMillis,
) -> Result<Vec<BackupName>, ShelfError> {
    let own: Vec<Found> = find(shelf)?.into_iter().filter(|found| found.name.is_of(node)).collect();
    let Some(newest) = own.iter().position(|found| found.manifest.is_ok()) else {
        return Ok(Vec::new());
    };
    let oldest = BackupName::new(node, now.before(retention));
    // Names of one node sort by time.
    let old = own.into_iter().skip(newest + 1).map(|found| found.name);
    let old: Vec<BackupName> = old.filter(|name| *name < oldest).collect();
    for name in &old {
        delete(shelf, name)?;
    }
    Ok(old)
}
