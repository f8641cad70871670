//! An archive as it is written.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use kvs_core::audit::Verifier;
use serde::Serialize;

use super::{ArchiveError, END, Header, MAGIC, Part, Sealed, Trailer, failed};
use crate::audit::appender::leaf_of;
use crate::audit::hex;
use crate::audit::layout::{Edge, TILE};

/// It, up to where it is.
pub(super) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    /// Nothing where rows are taken as they are.
    verifier: Option<Verifier>,
    edge: Edge,
    tiles: Vec<u64>,
    at: u64,
}

impl Writer {
    pub(super) fn begin(path: &Path, part: &Part<'_>) -> Result<Self, ArchiveError> {
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

    pub(super) fn add(&mut self, sequence: u64, row: &[u8]) -> Result<(), ArchiveError> {
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

    pub(super) fn finish(
        mut self,
        seal: impl FnOnce(&Edge) -> Option<Sealed>,
    ) -> Result<Edge, ArchiveError> {
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

fn length(bytes: &[u8]) -> [u8; 4] {
    // A length that does not fit would be refused when it is read.
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Structs of numbers, strings and lists always serialize.
    serde_json::to_vec(value).unwrap_or_default()
}
