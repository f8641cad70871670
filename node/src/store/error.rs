//! What can go wrong with a store.

use std::path::PathBuf;

use kvs_core::codec::DecodeError;
use thiserror::Error;

use super::LockError;

/// Reading or writing rows failed.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    /// There is no room. Nothing was written; reading goes on.
    #[error(
        "the disk is full: {free} bytes are free and {reserve} are kept for the store's own work"
    )]
    Full {
        /// Bytes that are free.
        free: u64,
        /// Bytes that must stay free.
        reserve: u64,
    },
    /// What was read is not what was written.
    #[error("damaged data: {0}")]
    Damaged(String),
    /// A row does not decode.
    #[error("damaged data: row {row} of {column}: {source}")]
    Row {
        /// Which column.
        column: &'static str,
        /// The row's key, printable.
        row: String,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The store failed otherwise. Whether a write is on disk is unknown.
    #[error("the store failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// Whether a row is damaged, and not the whole store.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Row { .. })
    }
}

/// A store could not be opened. Nothing was changed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// It was written by a newer release.
    #[error("{path} has store format {found}, which is newer than this program, which reads up to {supported}; run the release that wrote it, or a later one", path = .path.display())]
    Newer {
        /// The data directory.
        path: PathBuf,
        /// The format found.
        found: u64,
        /// The newest format that this program reads.
        supported: u64,
    },
    /// A file of it is damaged.
    #[error("{path} is damaged: {reason}; restore it from a backup or a peer, the files were left as they are", path = .path.display())]
    Damaged {
        /// The file, or the directory of files.
        path: PathBuf,
        /// What the store says, with the file's name.
        reason: String,
    },
    /// It could not be opened for another reason.
    #[error("cannot open the store in {path}: {reason}", path = .path.display())]
    Failed {
        /// The data directory.
        path: PathBuf,
        /// What the store says.
        reason: String,
    },
}
