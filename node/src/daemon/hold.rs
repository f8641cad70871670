//! What an instance does for as long as it runs: it holds its pid file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, fcntl_lock};
use thiserror::Error;

use super::{InstanceName, Record, Registry, RegistryError};

/// The lock on an instance's pid file. It ends with the process at the latest.
///
/// The lock is of the kind that the kernel tells the holder of, so that asking whether an instance
/// runs never takes it. Such a lock is lost as soon as the process closes any handle of the file:
/// nothing else here may open it.
#[derive(Debug)]
pub struct Hold {
    registry: Registry,
    name: InstanceName,
    _file: File,
}

/// Why an instance may not run.
#[derive(Debug, Error)]
pub enum HoldError {
    /// One of its name runs.
    #[error("{0} is running already")]
    Running(InstanceName),
    /// Its files cannot be written.
    #[error(transparent)]
    Files(#[from] RegistryError),
}

impl Hold {
    /// Takes the pid file of `name` for this process, and writes its pid there.
    ///
    /// # Errors
    ///
    /// Another process has it, or it cannot be written.
    pub fn take(registry: &Registry, name: &InstanceName) -> Result<Self, HoldError> {
        let path = registry.pid_file(name);
        let failed = || RegistryError::when("write", &path);
        let mut file = loop {
            let file = open(&path).map_err(failed())?;
            if fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Err(HoldError::Running(name.clone()));
            }
            if is_at(&file, &path) {
                break file;
            }
            // The one before removed it between our opening and our locking.
        };
        file.set_len(0).map_err(failed())?;
        writeln!(file, "{}", std::process::id()).map_err(failed())?;
        Ok(Self { registry: registry.clone(), name: name.clone(), _file: file })
    }

    /// Lets others know that the instance is ready, and where.
    ///
    /// # Errors
    ///
    /// The record cannot be written.
    pub fn announce(&self, record: &Record) -> Result<(), RegistryError> {
        let path = self.registry.record_file(&self.name);
        let failed = || RegistryError::when("write", &path);
        let unfinished = path.with_extension("json.new");
        let text = serde_json::to_vec(record).map_err(io::Error::from).map_err(failed())?;
        fs::write(&unfinished, text).map_err(failed())?;
        fs::rename(&unfinished, &path).map_err(failed())
    }

    /// Leaves nothing behind: the instance was stopped, it did not die.
    ///
    /// # Errors
    ///
    /// A file cannot be removed.
    pub fn release(self) -> Result<(), RegistryError> {
        self.registry.forget(&self.name)
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create(true).truncate(false).open(path)
}

/// Whether the opened file is the one that others find under this path.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let opened = file.metadata().map(id);
    opened.is_ok_and(|opened| fs::metadata(path).map(id).is_ok_and(|found| found == opened))
}
