//! What can be wrong with a log.

use std::path::PathBuf;

use kvs_core::NodeId;
use kvs_core::audit::Tampered;
use thiserror::Error;

use crate::audit::archive::ArchiveError;
use crate::store::{OpenError, StoreError};

/// What is wrong with a log: the first that is, from its beginning on.
#[derive(Debug, Error)]
pub enum Fault {
    /// An entry is not as it was written.
    #[error("{place}: {source}")]
    Entry {
        /// The store or an archive.
        place: String,
        /// What is wrong.
        source: Tampered,
    },
    /// A hash that proofs are made of is not what its entries come to.
    #[error("the store: the hash over the {count} entries from {first} on was altered")]
    Node {
        /// The first entry that it is over.
        first: u64,
        /// How many it is over.
        count: u64,
    },
    /// What says where the log ends, or begins in the store, does not fit the entries.
    #[error(
        "the store: its entries come to {found}, and the row that says where the log {what} is of {said}"
    )]
    Edge {
        /// `ends` or `begins`.
        what: &'static str,
        /// How many entries there are.
        found: u64,
        /// How many it says.
        said: u64,
    },
    /// A row has no place in a log.
    #[error("the store: behind entry {after} is a row that no log has")]
    Stray {
        /// How many entries are before it.
        after: u64,
    },
    /// A head was not signed by the node.
    #[error("{place}: the head over {size} entries does not bear the node's signature")]
    Signature {
        /// Where it was found.
        place: String,
        /// Its size.
        size: u64,
    },
    /// A head is of another node.
    #[error("{place}: a head of node {found}, and the log is that of node {node}")]
    Owner {
        /// Where it was found.
        place: String,
        /// Whose it is.
        found: NodeId,
        /// Whose the log is.
        node: NodeId,
    },
    /// No head is over any of the entries.
    #[error(
        "{place}: no head that the node signed is over its entries, so anybody can have written them"
    )]
    Unsigned {
        /// The archive.
        place: String,
    },
    /// The node's key is not the one that others know.
    #[error("the node's key is not the one that {by} knows: its log was made anew")]
    Key {
        /// Who knows another.
        by: String,
    },
    /// An archive is missing.
    #[error(
        "the archive with the entries from {from} on is not in {folder}; those before {until} are \
         not in the store (if archives are kept elsewhere, verify them one by one and say so with \
         --without-archives)",
        folder = .folder.display()
    )]
    NoArchive {
        /// The first that is missing.
        from: u64,
        /// Where the store begins.
        until: u64,
        /// Where it should be.
        folder: PathBuf,
    },
    /// An archive is of another log or another part of it.
    #[error("archive {path} does not go on from what was before it", path = .path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// There is nothing to verify.
    #[error("{path} has no audit log: no node ever kept one there", path = .path.display())]
    Nothing {
        /// Where.
        path: PathBuf,
    },
    /// An archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Open(#[from] OpenError),
    /// A row of the store cannot be read.
    #[error("the store cannot be read behind entry {after}: {source}")]
    Store {
        /// How many entries were fine.
        after: u64,
        /// Why.
        source: StoreError,
    },
}
