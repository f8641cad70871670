//! The store's files as one stream of bytes, and back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use blake3::Hasher;
use tar::{Archive, Builder, EntryType, Header};
use thiserror::Error;
use zstd::stream::read::Decoder;
use zstd::stream::write::Encoder;

use super::Manifest;
use super::manifest::{FileEntry, Whole};

/// Where the files lie within the archive.
const FOLDER: &str = "store";
/// The store's files are compressed already, mostly fast; a higher level would take time for little.
const LEVEL: i32 = 1;
/// Bytes that are copied at once.
const STEP: usize = 64 << 10;
/// Read and write for the owner.
const MODE: u32 = 0o600;

/// How far something is, for whoever watches.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Bytes done, and bytes in all; 0 in all while that is not known.
    pub fn get(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    pub(super) fn begin(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Why the data of a backup is not what its manifest says.
#[derive(Debug, Error)]
pub enum DamageError {
    /// A part of it differs.
    #[error("{part} in its archive is damaged: {reason}")]
    Part {
        /// Which file of the store.
        part: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The archive as a whole differs.
    #[error("its archive is damaged: {0}")]
    Archive(String),
    /// What was read cannot be written; this is not the backup's fault.
    #[error("cannot write {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was packed.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) archive: Whole,
    pub(super) files: Vec<FileEntry>,
}

/// Bytes that pass, counted and hashed.
struct Counted<'a, T> {
    inner: T,
    hasher: Hasher,
    bytes: u64,
    progress: Option<&'a Progress>,
}

impl<'a, T> Counted<'a, T> {
    fn new(inner: T, progress: Option<&'a Progress>) -> Self {
        Self { inner, hasher: Hasher::new(), bytes: 0, progress }
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        if let Some(progress) = self.progress {
            progress.add(bytes.len() as u64);
        }
    }

    fn whole(&self) -> Whole {
        Whole { size: self.bytes, blake3: self.hasher.finalize().to_hex().to_string() }
    }
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.pass(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.pass(&bytes[..read]);
        Ok(read)
    }
}

/// Writes the files of a store that nobody changes meanwhile.
pub(super) fn pack(store: &Path, into: &mut dyn Write, progress: &Progress) -> io::Result<Packed> {
    let names = file_names(store)?;
    let size = |name: &String| Ok(fs::metadata(store.join(name))?.len());
    progress.begin(names.iter().map(size).sum::<io::Result<u64>>()?);
    let mut encoder = Encoder::new(Counted::new(into, None), LEVEL)?;
    encoder.include_checksum(true)?;
    let mut builder = Builder::new(encoder);
    let add = |name| add_file(&mut builder, store, name, progress);
    let files = names.into_iter().map(add).collect::<io::Result<_>>()?;
    let archive = builder.into_inner()?.finish()?.whole();
    Ok(Packed { archive, files })
}

/// The files that make a store. Its own log and lock tell nothing of the data.
fn file_names(store: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(store)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with("LOG") && name != "LOCK" {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn add_file(
    builder: &mut Builder<impl Write>,
    store: &Path,
    name: String,
    progress: &Progress,
) -> io::Result<FileEntry> {
    let file = File::open(store.join(&name))?;
    let size = file.metadata()?.len();
    let mut header = Header::new_gnu();
    header.set_size(size);
    header.set_mode(MODE);
    header.set_entry_type(EntryType::Regular);
    let mut content = Counted::new(file.take(size), Some(progress));
    builder.append_data(&mut header, format!("{FOLDER}/{name}"), &mut content)?;
    let Whole { size: read, blake3 } = content.whole();
    if read == size {
        Ok(FileEntry { name, size, blake3 })
    } else {
        Err(io::Error::other(format!(
            "{name} shrank from {size} to {read} bytes while it was read"
        )))
    }
}

/// Reads an archive to its end and holds it against the manifest; writes its files to a folder that
/// is there, if one is given, and brings them to disk.
pub(super) fn unpack(
    manifest: &Manifest,
    from: impl Read,
    into: Option<&Path>,
    progress: &Progress,
) -> Result<(), DamageError> {
    progress.begin(manifest.archive.size);
    let broken = |error: io::Error| DamageError::Archive(error.to_string());
    let source = BufReader::with_capacity(STEP, Counted::new(from, Some(progress)));
    let mut archive = Archive::new(Decoder::with_buffer(source).map_err(broken)?);
    let mut entries = archive.entries().map_err(broken)?;
    for file in &manifest.files {
        let part = |reason: String| DamageError::Part { part: file.name.clone(), reason };
        let entry = entries.next().ok_or_else(|| part("it is missing".into()))?;
        let mut entry = entry.map_err(|error| part(error.to_string()))?;
        check_head(&entry.header().clone(), &entry.path_bytes(), file)?;
        copy(&mut entry, file, into)?;
    }
    if entries.next().is_some() {
        return Err(DamageError::Archive("it has more files than its manifest".into()));
    }
    let mut decoder = archive.into_inner();
    io::copy(&mut decoder, &mut io::sink()).map_err(broken)?;
    let mut source = decoder.finish();
    io::copy(&mut source, &mut io::sink()).map_err(broken)?;
    if source.into_inner().whole() == manifest.archive {
        Ok(())
    } else {
        Err(DamageError::Archive("its length or hash is not what the manifest says".into()))
    }
}

fn check_head(header: &Header, path: &[u8], file: &FileEntry) -> Result<(), DamageError> {
    let part = |reason: String| DamageError::Part { part: file.name.clone(), reason };
    if path != format!("{FOLDER}/{}", file.name).as_bytes() {
        return Err(part(format!("{} is in its place", path.escape_ascii())));
    }
    if header.entry_type() != EntryType::Regular {
        return Err(part("it is no file".into()));
    }
    let size = header.size().map_err(|error| part(error.to_string()))?;
    if size == file.size {
        Ok(())
    } else {
        Err(part(format!("it has {size} bytes, and {} in the manifest", file.size)))
    }
}

fn copy(entry: &mut impl Read, file: &FileEntry, into: Option<&Path>) -> Result<(), DamageError> {
    let part = |reason: String| DamageError::Part { part: file.name.clone(), reason };
    let path = into.map(|folder| folder.join(&file.name)).unwrap_or_default();
    let failed = |source| DamageError::Write { path: path.clone(), source };
    let mut out = into.map(|_| create(&path)).transpose().map_err(failed)?;
    let mut content = Counted::new(entry, None);
    let mut buffer = vec![0; STEP];
    loop {
        let read = content.read(&mut buffer).map_err(|error| part(error.to_string()))?;
        if read == 0 {
            break;
        }
        if let Some(out) = &mut out {
            out.write_all(&buffer[..read]).map_err(failed)?;
        }
    }
    if content.whole() != (Whole { size: file.size, blake3: file.blake3.clone() }) {
        return Err(part("its hash is not what the manifest says".into()));
    }
    out.map_or(Ok(()), |out| out.sync_all()).map_err(failed)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)
}
