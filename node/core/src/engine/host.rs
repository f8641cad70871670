//! What the engine needs of the store.

use bytes::Bytes;

use super::Bootstrap;
use crate::agreement::Saved;
use crate::digest::Position;
use crate::format::Format;
use crate::id::NodeId;
use crate::key::RecordId;
use crate::members::{Member, Members};
use crate::stamp::{Stamp, UnixMillis};
use crate::sync::Replica;
use crate::version::Version;
use crate::wire::{Admission, Cursor, Sent};

/// The store and clock that the engine runs on.
pub trait Host: Replica {
    /// The stamp that was given out last.
    fn clock(&self) -> Stamp;

    /// Moves the clock to at least `to` and returns it. What was stamped before is then committed,
    /// and what will be is later.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn raise_clock(&mut self, to: Stamp) -> Result<Stamp, Self::Error>;

    /// Whether the digest tree is whole.
    fn comparable(&self) -> bool;

    /// The current version of a record, as it travels.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn version(&self, record: &[u8]) -> Result<Option<Bytes>, Self::Error>;

    /// The records from a position on with their revisions since an instant, about `bytes` of them,
    /// and where to go on.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn page(
        &self,
        from: Position,
        revisions_since: UnixMillis,
        bytes: usize,
    ) -> Result<(Vec<Sent>, Option<Position>), Self::Error>;

    /// All members ever, as their records say.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn members(&self) -> Result<Members, Self::Error>;

    /// Up to where the own log goes.
    fn log_end(&self) -> Cursor;

    /// The secret of the digest tree.
    fn digest_key(&self) -> [u8; 32];

    /// Merges versions and keeps notes, all at once.
    ///
    /// # Errors
    ///
    /// The store failed; nothing of it was written, or it must be opened again.
    fn apply(
        &mut self,
        versions: Vec<(RecordId, Version)>,
        notes: &[Note<'_>],
    ) -> Result<(), Self::Error>;

    /// Brings everything applied so far to disk, and these notes with it.
    ///
    /// # Errors
    ///
    /// It may not be there.
    fn save(&mut self, notes: &[Note<'_>]) -> Result<(), Self::Error>;

    /// Removes what was dead before `horizon`.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn collect(&mut self, horizon: Stamp) -> Result<(), Self::Error>;

    /// Writes a member's record, as a write of this node, and brings it to disk.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn enroll(&mut self, member: &Member) -> Result<(), Self::Error>;

    /// The format that versions are written in.
    fn format(&self) -> Format;

    /// Writes the record that has all members write in a later format, as a write of this node, and
    /// brings it to disk.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn raise_format(&mut self, format: Format) -> Result<(), Self::Error>;

    /// Makes an empty store one of the cluster, which writes in `format`: as its first, or as another
    /// member says. A first one that is not empty goes on in its own format.
    ///
    /// # Errors
    ///
    /// The store failed.
    fn adopt(
        &mut self,
        admission: Option<&Admission>,
        format: Format,
        notes: &[Note<'_>],
    ) -> Result<(), Self::Error>;
}

/// What a node keeps for itself, beside its records.
#[derive(Clone, Copy, Debug)]
pub enum Note<'a> {
    /// How far another node's log was followed.
    Cursor(NodeId, Cursor),
    /// What is agreed.
    Agreement(&'a Saved),
    /// How far filling has come; nothing once it is done.
    Bootstrap(Option<&'a Bootstrap>),
}
