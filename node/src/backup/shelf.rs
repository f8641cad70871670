//! Where backups lie: a folder, or a bucket of S3. Files appear there whole or not at all.

mod bucket;
mod folder;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use kvs_config::{BackupTarget, Settings};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub use bucket::{Bucket, S3Error};
pub use folder::Folder;

use crate::config::S3Variables;

/// The folder within the data directory that backups go to if nothing else is said.
const DEFAULT: &str = "backups";

/// Most bytes of a file that is read whole: a manifest has a hundred for each file of the store.
const LARGEST: u64 = 64 << 20;

/// A place for files. Its methods wait; they are for threads that may.
pub trait Shelf: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// The files that are there.
    ///
    /// # Errors
    ///
    /// They cannot be listed. A place that is not there yet has none.
    fn list(&self) -> Result<Vec<Stored>, ShelfError>;

    /// A file, to be read from its beginning.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be read.
    fn open(&self, file: &str) -> Result<Box<dyn Read + Send>, ShelfError>;

    /// Writes a file: what `fill` gives, whole and on disk, or nothing. Breaks off once `stop` is
    /// cancelled.
    ///
    /// # Errors
    ///
    /// It cannot be written, or `fill` failed; there is no such file then.
    fn write(
        &self,
        file: &str,
        stop: &CancellationToken,
        fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ShelfError>;

    /// Deletes a file; one that is not there is deleted.
    ///
    /// # Errors
    ///
    /// It cannot be deleted.
    fn delete(&self, file: &str) -> Result<(), ShelfError>;

    /// Removes what writers of files with such names left that were killed.
    ///
    /// # Errors
    ///
    /// It cannot be removed.
    fn tidy(&self, prefix: &str) -> Result<(), ShelfError>;
}

/// A file on a shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub file: String,
    /// Bytes.
    pub size: u64,
}

/// A place for backups does not do what is asked of it.
#[derive(Debug, Error)]
pub enum ShelfError {
    /// There is no such file.
    #[error("there is no {file} in {place}")]
    Absent {
        /// The place.
        place: String,
        /// The file.
        file: String,
    },
    /// Something went wrong there.
    #[error("cannot {what} {place}")]
    Failed {
        /// What was being done, such as `write a in`.
        what: String,
        /// The place.
        place: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It cannot be known how to reach it.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// The settings name no such place.
    #[error(transparent)]
    Target(#[from] kvs_config::TargetError),
}

impl ShelfError {
    fn failed(
        place: &impl fmt::Display,
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Failed { what: what.into(), place: place.to_string(), source: source.into() }
    }
}

/// The place that a node's settings name. `runtime` carries out what goes over the network.
///
/// # Errors
///
/// The place cannot be reached as the settings and the environment say.
pub fn of_settings(settings: &Settings, runtime: Handle) -> Result<Arc<dyn Shelf>, ShelfError> {
    let folder = || BackupTarget::Folder(settings.data_dir.join(DEFAULT));
    let target = settings.backup_target.as_deref().map_or_else(|| Ok(folder()), str::parse)?;
    let reserve = settings.disk_reserve.as_len() as u64;
    match target {
        BackupTarget::Folder(path) => Ok(Arc::new(Folder::new(&path, reserve))),
        BackupTarget::Bucket { .. } => at(&target, settings, runtime),
    }
}

/// A place that is named on a command line.
///
/// # Errors
///
/// As [`of_settings`].
pub fn at(
    target: &BackupTarget,
    settings: &Settings,
    runtime: Handle,
) -> Result<Arc<dyn Shelf>, ShelfError> {
    match target {
        BackupTarget::Folder(path) => Ok(Arc::new(Folder::new(path, 0))),
        BackupTarget::Bucket { bucket, prefix } => {
            let variables = S3Variables::read();
            let bucket = Bucket::open(bucket, prefix, &settings.backup_s3, &variables, runtime)?;
            Ok(Arc::new(bucket))
        }
    }
}

/// A small file as a whole.
///
/// # Errors
///
/// It is not there, cannot be read, or is not small.
pub fn read(shelf: &dyn Shelf, file: &str) -> Result<Vec<u8>, ShelfError> {
    let mut bytes = Vec::new();
    let failed = |error: io::Error| ShelfError::failed(&shelf, format!("read {file} in"), error);
    shelf.open(file)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(failed(io::Error::other(format!("it has more than {LARGEST} bytes"))));
    }
    Ok(bytes)
}

/// Whether a file's name is one of the place itself.
fn is_name(file: &str) -> bool {
    Path::new(file).file_name().is_some_and(|name| name == file)
}
