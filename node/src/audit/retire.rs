//! Ends the log of a node that is no more: the store goes on as another node's.

use std::fs;
use std::path::Path;

use thiserror::Error;

use super::archive::{ArchiveError, Archives, Part, Sealed};
use super::layout::{self, Edge};
use super::stored::{broken_head, last_head};
use crate::local;
use crate::store::{Batch, Column, Flush, Store, StoreError, sweep};

/// Why a log was not put aside. It is where it was.
#[derive(Debug, Error)]
pub enum RetireError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive cannot be written.
    #[error("the audit log cannot be put aside: {0}")]
    Archive(#[from] ArchiveError),
}

/// Puts the log of a store, with its archives, into a folder of its node's name below `data_dir`, and
/// takes it out of the store, so that another node can begin its own. Does nothing where there is none.
///
/// # Errors
///
/// It cannot be put aside.
pub fn retire(store: &dyn Store, data_dir: &Path) -> Result<(), RetireError> {
    let end = Edge::read(store, layout::END)?;
    if let Some(identity) = local::identity(store)?.filter(|_| end.size() > 0) {
        let begin = Edge::read(store, layout::BASE)?;
        let archives = Archives::of(data_dir);
        let part = Part {
            node: identity.node,
            begin: &begin,
            count: end.size().saturating_sub(begin.size()),
            checked: false,
            // What is kept free is kept for this: a node whose disk is full must be able to start over.
            reserve: 0,
        };
        let sealed = sealed(store)?;
        // A row that is missing is an empty one there: no entry has so few bytes.
        let row = |sequence| {
            let row = store.get(Column::Audit, &layout::entry(sequence))?;
            Ok(row.unwrap_or_default())
        };
        archives.write(&part, row, |_edge| sealed)?;
        put_aside(&archives, &identity.node.to_string())?;
    }
    Ok(erase(store)?)
}

/// The last head that the node signed, if it did; of a log that was tampered with, the one that says
/// so.
fn sealed(store: &dyn Store) -> Result<Option<Sealed>, StoreError> {
    let key = store.get(Column::Local, layout::PUBLIC)?.and_then(|key| key.try_into().ok());
    let head = broken_head(store)?.map_or_else(|| last_head(store), |head| Ok(Some(head)))?;
    Ok(head.zip(key))
}

fn put_aside(archives: &Archives, name: &str) -> Result<(), ArchiveError> {
    let folder = archives.folder().join(name);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ArchiveError::Io { path, source }
    };
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    for file in archives.files()? {
        let Some(name) = file.file_name() else { continue };
        fs::rename(&file, folder.join(name)).map_err(failed(&file))?;
    }
    let synced = fs::File::open(&folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed(&folder))
}

/// Takes the log out of the store, but for what is known of other nodes. Its end goes first: what a
/// crash leaves then is no log that anybody would put aside again.
fn erase(store: &dyn Store) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    for row in layout::OWN {
        batch.delete(Column::Local, row);
    }
    store.write(&batch, Flush::Synced)?;
    sweep(store, Column::Audit, (&[], &[0xff; 16]), |batch| store.write(&batch, Flush::Later))
}
