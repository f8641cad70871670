//! Backups: a consistent copy of a node's store, and what it takes to trust it and bring it back.
//!
//! A backup `NAME` is two files: `NAME.tar.zst`, the store's files, and `NAME.manifest.json`, which
//! tells what they are and their hashes. The manifest is written last, so that half a backup is
//! none.
//!
//! Reading order: [`Manifest`], then [`shelf`] (where backups lie), [`archive`] (files to bytes and
//! back), [`create`], [`catalog`] (what there is, and what is too old), [`keeper`] (the part of a
//! running node), [`restore`].

mod archive;
mod catalog;
mod create;
mod keeper;
mod manifest;
mod name;
mod restore;
pub mod shelf;
#[cfg(test)]
mod tests;

pub use archive::{DamageError, Progress};
pub use catalog::{CatalogError, Found, find, verify};
pub use create::CreateError;
pub use keeper::{Backups, BeginError, schedule};
pub use manifest::{Manifest, ManifestError};
pub use name::BackupName;
pub use restore::{Order as RestoreOrder, RESTORING, RestoreError, Restored, hand_over, restore};
