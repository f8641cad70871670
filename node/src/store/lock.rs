//! One process per data directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// The name of the lock file in a data directory.
const FILE: &str = "kvs.lock";

/// Holds a data directory for this process. The lock is the kernel's: it ends with the process,
/// however that ends, so no stale one is ever met.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

/// A data directory could not be taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("the data directory {path} is in use by process {pid}; stop that first, or choose another data_dir", path = .path.display())]
    Held {
        /// The data directory.
        path: PathBuf,
        /// The process that has it, as it says itself.
        pid: String,
    },
    /// It cannot be made or written.
    #[error("the data directory {path} cannot be used", path = .path.display())]
    Io {
        /// The data directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl DataLock {
    /// Makes the directory if need be and takes it.
    ///
    /// # Errors
    ///
    /// Another process holds it, or it cannot be used.
    pub fn take(data_dir: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { path: data_dir.to_owned(), source };
        fs::create_dir_all(data_dir).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(data_dir.join(FILE)).map_err(failed)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            file.read_to_string(&mut pid).map_err(failed)?;
            let pid = pid.trim().to_owned();
            return Err(LockError::Held { path: data_dir.to_owned(), pid });
        }
        write_pid(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_is_told_the_first_ones_pid() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataLock::take(dir.path()).unwrap();
        let error = DataLock::take(dir.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        DataLock::take(dir.path()).unwrap();
    }
}
