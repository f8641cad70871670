//! Files of entries that left the store.
//!
//! ```text
//! magic | length 4 | header | (length 4 | row)… | trailer | length 4 | end
//! ```
//!
//! Header and trailer are JSON. The header has the edge that the first entry follows, the trailer the
//! head that the node signed over the last one and where each 256th row lies. Whole files only are
//! there: each is written under another name, brought to disk, and renamed.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use kvs_core::NodeId;
use kvs_core::audit::{SignedHead, Tampered, Verifier};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::appender::leaf_of;
use super::layout::{Edge, TILE};
use super::{PublicKey, hex};
use crate::store::StoreError;

const MAGIC: &[u8] = b"kvs audit archive 1\n";
const END: &[u8] = b"\nkvs audit end 1\n";
/// Longest row, header or trailer that is read: far above what any has.
const LONGEST: usize = 16 << 20;
/// The folder in the data directory.
const FOLDER: &str = "audit";
/// What the files' names end with.
const EXTENSION: &str = "kvsaudit";

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
        Ok(archive.filter(|archive| sequence - archive.header.first < archive.header.count))
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
        mut next: impl FnMut(u64) -> Result<Vec<u8>, StoreError>,
        seal: impl FnOnce(&Edge) -> Option<Sealed>,
    ) -> Result<(PathBuf, Edge), ArchiveError> {
        let path = self.path(part.begin.size());
        let draft = path.with_extension("tmp");
        fs::create_dir_all(&self.folder).map_err(failed(&self.folder))?;
        let mut writer = Writer::begin(&draft, part)?;
        for sequence in part.begin.size()..part.begin.size() + part.count {
            writer.add(sequence, &next(sequence)?)?;
        }
        let edge = writer.finish(seal)?;
        fs::rename(&draft, &path).map_err(failed(&path))?;
        let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
        folder.map_err(failed(&self.folder))?;
        Ok((path, edge))
    }
}

/// An archive as it is written.
struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    /// Nothing where rows are taken as they are.
    verifier: Option<Verifier>,
    edge: Edge,
    tiles: Vec<u64>,
    at: u64,
}

impl Writer {
    fn begin(path: &Path, part: &Part<'_>) -> Result<Self, ArchiveError> {
        let file = File::create(path).map_err(failed(path))?;
        let edge = part.begin.clone();
        let (node, first, count) = (part.node, edge.size(), part.count);
        let header = Header { node, first, count, edge: hex(&edge.to_bytes()) };
        let mut writer = Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            verifier: part
                .checked
                .then(|| Verifier::resume(edge.frontier.clone(), edge.previous, [])),
            edge,
            tiles: Vec::new(),
            at: 0,
        };
        writer.put(MAGIC)?;
        writer.put_sized(&json(&header))?;
        Ok(writer)
    }

    fn add(&mut self, sequence: u64, row: &[u8]) -> Result<(), ArchiveError> {
        if let Some(verifier) = &mut self.verifier {
            verifier.push(sequence, row)?;
        }
        self.edge.previous = leaf_of(row);
        self.edge.frontier.append(self.edge.previous);
        if sequence.is_multiple_of(TILE) || self.tiles.is_empty() {
            self.tiles.push(self.at);
        }
        self.put_sized(row)
    }

    fn finish(mut self, seal: impl FnOnce(&Edge) -> Option<Sealed>) -> Result<Edge, ArchiveError> {
        let (head, key) = seal(&self.edge).unzip();
        let key = key.map(|key| hex(&key));
        let trailer = json(&Trailer { head, key, tiles: std::mem::take(&mut self.tiles) });
        self.put(&trailer)?;
        self.put(&length(&trailer))?;
        self.put(END)?;
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(failed(&self.path))?;
        Ok(self.edge)
    }

    fn put_sized(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.put(&length(bytes))?;
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.at += bytes.len() as u64;
        self.file.write_all(bytes).map_err(failed(&self.path))
    }
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
        let rows = (begin + count).saturating_sub(first).min(TILE);
        (0..rows).map(|_| file.sized()).collect()
    }
}

/// A file that is read and may have been cut.
struct Cut<'a> {
    path: &'a Path,
    file: BufReader<File>,
}

impl Cut<'_> {
    fn take(&mut self, length: usize) -> Result<Vec<u8>, ArchiveError> {
        if length > LONGEST {
            return Err(damaged(self.path, "a length in it is impossible"));
        }
        let mut bytes = vec![0; length];
        match self.file.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(damaged(self.path, "it ends too early"))
            }
            Err(error) => Err(failed(self.path)(error)),
        }
    }

    fn expect(&mut self, bytes: &[u8], otherwise: &str) -> Result<(), ArchiveError> {
        self.seek(SeekFrom::Start(0))?;
        let found = self.take(bytes.len())?;
        if found == bytes { Ok(()) } else { Err(damaged(self.path, otherwise)) }
    }

    fn sized(&mut self) -> Result<Vec<u8>, ArchiveError> {
        let length = self.take(4)?;
        let length = length.try_into().map_or(u32::MAX, u32::from_be_bytes);
        self.take(length as usize)
    }

    fn json<T: for<'a> Deserialize<'a>>(&mut self) -> Result<T, ArchiveError> {
        let bytes = self.sized()?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(self.path, &error.to_string()))
    }

    fn trailer(&mut self) -> Result<Trailer, ArchiveError> {
        let tail = i64::try_from(4 + END.len()).unwrap_or_default();
        self.seek(SeekFrom::End(-tail))?;
        let length = self.take(4)?.try_into().map_or(u32::MAX, u32::from_be_bytes);
        if self.take(END.len())? != END {
            return Err(damaged(self.path, "its end is missing"));
        }
        self.seek(SeekFrom::End(-tail - i64::from(length)))?;
        let bytes = self.take(length as usize)?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(self.path, &error.to_string()))
    }

    fn seek(&mut self, to: SeekFrom) -> Result<(), ArchiveError> {
        self.file
            .seek(to)
            .map(drop)
            .map_err(|_before_its_start| damaged(self.path, "it is too short"))
    }
}

fn length(bytes: &[u8]) -> [u8; 4] {
    // A length that does not fit would be refused when it is read.
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Structs of numbers, strings and lists always serialize.
    serde_json::to_vec(value).unwrap_or_default()
}

fn damaged(path: &Path, reason: &str) -> ArchiveError {
    ArchiveError::Damaged { path: path.to_owned(), reason: reason.to_owned() }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    move |source| ArchiveError::Io { path: path.to_owned(), source }
}
