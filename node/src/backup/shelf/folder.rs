//! A folder of backups.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::{Shelf, ShelfError, Stored, is_name};

/// What the names of unfinished files end with; they begin with a dot.
const PARTIAL: &str = ".partial";
/// Read and write for the owner: a backup has all that the node has.
const MODE: u32 = 0o600;
/// After so many bytes it is looked how much room is left.
const LOOK_EVERY: u64 = 1 << 20;

/// A folder; made when something is written to it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Bytes of disk that are left free.
    reserve: u64,
}

impl Folder {
    /// The folder at `path`, on a disk of which `reserve` bytes and a quarter of that are for
    /// others: a backup beside the data must not stop the writes.
    pub fn new(path: &Path, reserve: u64) -> Self {
        Self { path: path.to_owned(), reserve: reserve.saturating_add(reserve / 4) }
    }

    fn failed(&self, what: impl Into<String>) -> impl FnOnce(io::Error) -> ShelfError {
        let (place, what) = (self.to_string(), what.into());
        move |error| ShelfError::failed(&place, what, error)
    }

    fn fill(
        &self,
        partial: &Path,
        file: &str,
        stop: &CancellationToken,
        fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(MODE);
        let opened = options.open(partial)?;
        let mut out = Guarded { file: opened, since: LOOK_EVERY, folder: self, stop };
        fill(&mut out)?;
        out.file.sync_all()?;
        fs::rename(partial, self.path.join(file))?;
        File::open(&self.path)?.sync_all()
    }

    fn check_room(&self, file: &File) -> io::Result<()> {
        let stat = rustix::fs::fstatvfs(file)?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free >= self.reserve {
            return Ok(());
        }
        let kept = self.reserve;
        let reason = format!("{free} bytes of disk are free, and {kept} are kept for the node");
        Err(io::Error::new(io::ErrorKind::StorageFull, reason))
    }
}

/// A file that is written while there is room, and somebody wants it.
struct Guarded<'a> {
    file: File,
    /// Bytes since it was last looked.
    since: u64,
    folder: &'a Folder,
    stop: &'a CancellationToken,
}

impl Write for Guarded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("the node is stopping"));
        }
        if self.since >= LOOK_EVERY {
            self.folder.check_room(&self.file)?;
            self.since = 0;
        }
        let written = self.file.write(bytes)?;
        self.since += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Shelf for Folder {
    fn list(&self) -> Result<Vec<Stored>, ShelfError> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("list")(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(self.failed("list"))?;
            let Ok(metadata) = entry.metadata() else { continue };
            let file = entry.file_name().to_string_lossy().into_owned();
            if metadata.is_file() && !file.starts_with('.') {
                files.push(Stored { file, size: metadata.len() });
            }
        }
        Ok(files)
    }

    fn open(&self, file: &str) -> Result<Box<dyn Read + Send>, ShelfError> {
        let absent = || ShelfError::Absent { place: self.to_string(), file: file.to_owned() };
        if !is_name(file) {
            return Err(absent());
        }
        match File::open(self.path.join(file)) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(absent()),
            Err(error) => Err(self.failed(format!("read {file} in"))(error)),
        }
    }

    fn write(
        &self,
        file: &str,
        stop: &CancellationToken,
        fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), ShelfError> {
        fs::create_dir_all(&self.path).map_err(self.failed("make"))?;
        let partial = self.path.join(format!(".{file}{PARTIAL}"));
        self.fill(&partial, file, stop, fill).map_err(|error| {
            // The next backup removes what cannot be removed now.
            let _ = fs::remove_file(&partial);
            self.failed(format!("write {file} in"))(error)
        })
    }

    fn delete(&self, file: &str) -> Result<(), ShelfError> {
        match fs::remove_file(self.path.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed(format!("delete {file} in"))(error))
            }
            _ => Ok(()),
        }
    }

    fn tidy(&self, prefix: &str) -> Result<(), ShelfError> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Ok(()) };
        let begin = format!(".{prefix}");
        for entry in entries {
            let name = entry.map_err(self.failed("list"))?.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(&begin) && name.ends_with(PARTIAL) {
                self.delete(&name)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}
