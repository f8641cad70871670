//! One process per data directory.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use crate::config::CLUSTER_FILE;

/// The name of the lock file in a data directory.
const FILE: &str = "kvs.lock";

/// What others than its owner and its group may do with a file.
const OTHERS: u32 = 0o007;

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
        make_private(data_dir).map_err(failed)?;
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

/// Makes the directory for its owner alone. One that is there may be for a group, as Kubernetes gives
/// it; it is closed to all others of the machine, who could read every value in it.
fn make_private(data_dir: &Path) -> io::Result<()> {
    if let Some(above) = data_dir.parent() {
        fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(0o700).create(data_dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let mode = fs::metadata(data_dir)?.permissions().mode();
    if mode & OTHERS != 0 {
        let path = data_dir.display();
        if !is_for_data(data_dir)? {
            tracing::warn!(%path, "the data directory has files of others, and is open to all");
            return Ok(());
        }
        match fs::set_permissions(data_dir, Permissions::from_mode(mode & !OTHERS)) {
            Ok(()) => {
                tracing::warn!(%path, "the data directory was open to all, and is closed now");
            }
            Err(error) => tracing::warn!(%path, %error, "the data directory is open to all"),
        }
    }
    Ok(())
}

/// Whether a directory is a node's, or is for nothing else yet: `/tmp` is not closed to all others.
fn is_for_data(dir: &Path) -> io::Result<bool> {
    if dir.join(FILE).exists() {
        return Ok(true);
    }
    let names = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    Ok(names.iter().all(|name| name == "lost+found" || name == CLUSTER_FILE))
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
    fn nobody_else_on_the_machine_can_look_into_a_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let data = dir.path().join("made/data");
        DataLock::take(&data).unwrap();
        assert_eq!(mode(&data), 0o700);
        for (before, after) in [(0o755, 0o750), (0o777, 0o770), (0o750, 0o750), (0o700, 0o700)] {
            fs::set_permissions(&data, Permissions::from_mode(before)).unwrap();
            DataLock::take(&data).unwrap();
            assert_eq!(mode(&data), after, "{before:o}");
        }
    }

    #[test]
    fn a_directory_that_is_for_other_things_too_stays_open() {
        let dir = tempfile::tempdir().unwrap();
        let open = || fs::metadata(dir.path()).unwrap().permissions().mode() & OTHERS != 0;
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.path().join("of-somebody-else"), "").unwrap();
        make_private(dir.path()).unwrap();
        assert!(open());
        fs::remove_file(dir.path().join("of-somebody-else")).unwrap();
        fs::write(dir.path().join(CLUSTER_FILE), "").unwrap();
        make_private(dir.path()).unwrap();
        assert!(!open());
    }

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
