//! Files of entries that left the store.
//!
//! ```text
//! magic | length 4 | header | (length 4 | row)… | trailer | length 4 | end
//! ```
//!
//! Header and trailer are JSON. The header has the edge that the first entry follows, the trailer the
//! head that the node signed over the last one and where each 256th row lies. Whole files only are
//! there: each is written under another name, brought to disk, and renamed.

mod cut;
mod writer;

use std::fs::{self, File};
use std::io::{self, BufReader, SeekFrom};
use std::path::{Path, PathBuf};

use kvs_core::NodeId;
use kvs_core::audit::{SignedHead, Tampered};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::cut::Cut;
use self::writer::Writer;
use super::PublicKey;
use super::layout::{Edge, TILE};
use crate::store::StoreError;

const MAGIC: &[u8] = b"kvs audit archive 1\n";
const END: &[u8] = b"\nkvs audit end 1\n";
/// Longest row, header or trailer that is read: far above what any has.
const LONGEST: usize = 16 << 20;
/// The folder in the data directory.
const FOLDER: &str = "audit";
/// What the files' names end with.
const EXTENSION: &str = "kvsaudit";

/// Most bytes of an archive for each of its entries: the longest takes some 200, its length and its
/// share of the trailer included.
const PER_ENTRY: u64 = 256;

/// Why an archive cannot be written or read.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The system refuses.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no room for it. Nothing was written.
    #[error(
        "an archive in {folder} takes up to {needed} bytes, with what is to stay free (disk_reserve), \
         and {free} are free",
        folder = .folder.display()
    )]
    Full {
        /// Where it would be.
        folder: PathBuf,
        /// Bytes that must be free before it is begun.
        needed: u64,
        /// Bytes that are.
        free: u64,
    },
    /// It is not as it was written.
    #[error("archive {path} is damaged: {reason}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What was to be archived is not as it was written.
    #[error("the log is not as it was written: {0}")]
    Tampered(#[from] Tampered),
    /// What was to be archived cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an archive begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Whose log.
    pub node: NodeId,
    /// The first entry in it.
    pub first: u64,
    /// How many there are.
    pub count: u64,
    /// The edge before them, as hexadecimal digits.
    edge: String,
}

impl Header {
    fn has(&self, sequence: u64) -> bool {
        sequence.checked_sub(self.first).is_some_and(|at| at < self.count)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Trailer {
    head: Option<SignedHead>,
    key: Option<String>,
    tiles: Vec<u64>,
}

/// Entries that are to be archived.
#[derive(Debug)]
pub struct Part<'a> {
    /// Whose log.
    pub node: NodeId,
    /// What the first follows.
    pub begin: &'a Edge,
    /// How many there are.
    pub count: u64,
    /// Whether they must be as they were written. What is put aside for good is put aside as it is,
    /// for whoever verifies it.
    pub checked: bool,
    /// Bytes that must be free when it is written.
    pub reserve: u64,
}

/// A head over a part of a log, and the key that it was signed with.
pub type Sealed = (SignedHead, PublicKey);

/// The archives of a node.
#[derive(Clone, Debug)]
pub struct Archives {
    folder: PathBuf,
}

impl Archives {
    /// Those in a data directory.
    pub fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.join(FOLDER) }
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files that are there, oldest entries first.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>, ArchiveError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&self.folder)(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed(&self.folder))?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// The archive that has this entry, if it is there.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn with(&self, sequence: u64) -> Result<Option<Archive>, ArchiveError> {
        let name = self.path(sequence);
        let before = self.files()?.into_iter().rev().find(|path| *path <= name);
        let archive = before.map(|path| Archive::open(&path)).transpose()?;
        Ok(archive.filter(|archive| archive.header.has(sequence)))
    }

    fn path(&self, first: u64) -> PathBuf {
        self.folder.join(format!("{first:020}.{EXTENSION}"))
    }

    /// Archives `part`, whose rows `next` tells one after another, and seals it; the edge behind it.
    /// The file is on disk then.
    ///
    /// # Errors
    ///
    /// The rows are not as they were written, or the file cannot be.
    pub fn write(
        &self,
        part: &Part<'_>,
        next: impl FnMut(u64) -> Result<Vec<u8>, ArchiveError>,
        seal: impl FnOnce(&Edge) -> Option<Sealed>,
    ) -> Result<(PathBuf, Edge), ArchiveError> {
        let path = self.path(part.begin.size());
        let draft = path.with_extension("tmp");
        fs::create_dir_all(&self.folder).map_err(failed(&self.folder))?;
        self.check_room(part)?;
        let written = draw_up(&draft, part, next, seal);
        let edge = written.inspect_err(|_failed| {
            // What cannot be removed either is overwritten by the next try.
            let _ = fs::remove_file(&draft);
        })?;
        fs::rename(&draft, &path).map_err(failed(&path))?;
        let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
        folder.map_err(failed(&self.folder))?;
        Ok((path, edge))
    }

    /// Whether there is room for a part: a disk that it filled would take no writes any more.
    fn check_room(&self, part: &Part<'_>) -> Result<(), ArchiveError> {
        let refused = |error: rustix::io::Errno| failed(&self.folder)(error.into());
        let stat = rustix::fs::statvfs(&self.folder).map_err(refused)?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let needed = part.count.saturating_mul(PER_ENTRY).saturating_add(part.reserve);
        if free < needed {
            return Err(ArchiveError::Full { folder: self.folder.clone(), needed, free });
        }
        Ok(())
    }
}

/// Writes a whole archive to `draft`, which is on disk then.
fn draw_up(
    draft: &Path,
    part: &Part<'_>,
    mut next: impl FnMut(u64) -> Result<Vec<u8>, ArchiveError>,
    seal: impl FnOnce(&Edge) -> Option<Sealed>,
) -> Result<Edge, ArchiveError> {
    let mut writer = Writer::begin(draft, part)?;
    for sequence in part.begin.size()..part.begin.size() + part.count {
        writer.add(sequence, &next(sequence)?)?;
    }
    writer.finish(seal)
}

/// An archive that is there.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    file: BufReader<File>,
    header: Header,
    begin: Edge,
    trailer: Trailer,
}

impl Archive {
    /// Opens it, and reads how it begins and ends.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is not whole.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(failed(path))?;
        let mut file = Cut { path, file: BufReader::new(file) };
        file.expect(MAGIC, "it is no archive of an audit log")?;
        let header: Header = file.json()?;
        let edge = super::bytes_of(&header.edge).and_then(|bytes| Edge::from_bytes(&bytes));
        let begin = edge.filter(|edge| edge.size() == header.first);
        let begin = begin.ok_or_else(|| damaged(path, "its header contradicts itself"))?;
        let trailer = file.trailer()?;
        Ok(Self { path: path.to_owned(), file: file.file, header, begin, trailer })
    }

    /// What it says of itself.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its first entry follows.
    pub const fn begin(&self) -> &Edge {
        &self.begin
    }

    /// The head that was signed over it, and the key that it was signed with. Neither was checked.
    pub fn sealed(&self) -> Option<Sealed> {
        let key = self.trailer.key.as_deref().and_then(super::from_hex)?;
        Some((self.trailer.head.clone()?, key))
    }

    /// All rows, each with its place in the log.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or `each` says so.
    pub fn rows<E: From<ArchiveError>>(
        self,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (first, count) = (self.header.first, self.header.count);
        let mut file = Cut { path: &self.path, file: self.file };
        file.expect(MAGIC, "it is no archive of an audit log")?;
        file.sized()?;
        for sequence in first..first.saturating_add(count) {
            each(sequence, &file.sized()?)?;
        }
        Ok(())
    }

    /// The rows of the 256 entries that begin with `first`, or as many of them as there are.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn tile(self, first: u64) -> Result<Vec<Vec<u8>>, ArchiveError> {
        let Header { first: begin, count, .. } = self.header;
        let number = first.saturating_sub(begin) / TILE;
        let at = usize::try_from(number).ok().and_then(|number| self.trailer.tiles.get(number));
        let at = *at.ok_or_else(|| damaged(&self.path, "its trailer has too few places"))?;
        let mut file = Cut { path: &self.path, file: self.file };
        file.seek(SeekFrom::Start(at))?;
        let rows = begin.saturating_add(count).saturating_sub(first).min(TILE);
        (0..rows).map(|_| file.sized()).collect()
    }
}

fn damaged(path: &Path, reason: &str) -> ArchiveError {
    ArchiveError::Damaged { path: path.to_owned(), reason: reason.to_owned() }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    move |source| ArchiveError::Io { path: path.to_owned(), source }
}
