//! The file on disk: nobody but its owner writes it, and only its owner and group read it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{ClusterFile, ParseError};

/// Nothing that is larger is a cluster file: eight secrets take less than 1 KiB.
const LARGEST: u64 = 64 << 10;
/// Read and write for the owner.
const MODE: u32 = 0o600;
/// What others may do.
const OTHERS: u32 = 0o007;

/// A cluster file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read the cluster file {path}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written; what was there before still is.
    #[error("cannot write the cluster file {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something is there already, and it was left alone.
    #[error("{path} is there already; choose another name, or remove it first", path = .0.display())]
    Exists(PathBuf),
    /// Every user of the machine can get at the secret.
    #[error(
        "every user of this machine can get at the cluster file {path} (mode {mode:04o}); run: \
         chmod 600 {path}",
        path = .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// What it says is wrong.
    #[error("the cluster file {path} is wrong: {wrong}", path = .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        wrong: ParseError,
    },
}

impl ClusterFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// It cannot be read, users outside its group could get at it, or what it says is wrong.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text =
            read(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
        check_mode(path)?;
        Self::parse(&text).map_err(|wrong| FileError::Wrong { path: path.to_owned(), wrong })
    }

    /// Writes the file, with mode 0600, in place of the one that may be there: whoever reads
    /// meanwhile, and whatever fails, sees the old or the new one.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let beside = beside(path);
        let written = write(&beside, &self.to_text())
            .and_then(|()| fs::rename(&beside, path))
            .and_then(|()| sync_folder(path));
        written.map_err(|source| {
            // It is not there if it could not even be made.
            let _ = fs::remove_file(&beside);
            FileError::Write { path: path.to_owned(), source }
        })
    }

    /// Writes the file, with mode 0600, where nothing is yet.
    ///
    /// # Errors
    ///
    /// Something is there, or it cannot be written.
    pub fn save_new(&self, path: &Path) -> Result<(), FileError> {
        match write(path, &self.to_text()).and_then(|()| sync_folder(path)) {
            Ok(()) => Ok(()),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                Err(FileError::Exists(path.to_owned()))
            }
            Err(source) => Err(FileError::Write { path: path.to_owned(), source }),
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if length as u64 > LARGEST {
        let reason = format!("it has more than {LARGEST} bytes, so it is no cluster file");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(text)
}

fn check_mode(path: &Path) -> Result<(), FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    Err(FileError::Exposed { path: path.to_owned(), mode })
}

/// A name in the same folder, so that a rename is all it takes.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    path.with_file_name(name)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A new name is on disk once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
