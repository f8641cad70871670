//! One write of one record.

use thiserror::Error;

use crate::id::{NodeId, UserId, VersionId};
use crate::merge::Rank;
use crate::meta::Meta;
use crate::stamp::{Stamp, UnixMillis};
use crate::value::Value;

/// The node that accepted a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which node.
    pub node: NodeId,
    /// When that node first started; in every version, so that any node can order any two.
    pub joined: UnixMillis,
}

/// One write of one record: what decides its order, and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version<B = Body> {
    /// When it was written.
    pub stamp: Stamp,
    /// The node that accepted it.
    pub origin: Origin,
    /// Its identity.
    pub uuid: VersionId,
    /// When the key was first written, carried on by later writes.
    pub created_at: UnixMillis,
    /// Who first wrote the key, carried on by later writes.
    pub owner: Option<UserId>,
    /// From when on it reads as absent.
    pub expires_at: Option<UnixMillis>,
    /// What was written.
    pub body: B,
}

/// A version without the bytes of its body: all that decisions need.
pub type Head = Version<BodyKind>;

/// What a write left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A value.
    Value(Value),
    /// Metadata.
    Meta(Meta),
    /// Nothing: it was deleted.
    Tombstone,
}

/// Which [`Body`] a version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// A value.
    Value,
    /// Metadata.
    Meta,
    /// Nothing: it was deleted.
    Tombstone,
}

impl Body {
    /// Which body it is.
    pub const fn kind(&self) -> BodyKind {
        match self {
            Self::Value(_) => BodyKind::Value,
            Self::Meta(_) => BodyKind::Meta,
            Self::Tombstone => BodyKind::Tombstone,
        }
    }
}

/// Why a record reads as absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Absence {
    /// There is no version of it.
    #[error("never written")]
    NeverWritten,
    /// Its newest version is a tombstone.
    #[error("deleted at {0}")]
    DeletedAt(UnixMillis),
    /// Its newest version's time has passed.
    #[error("expired at {0}")]
    ExpiredAt(UnixMillis),
}

impl<B> Version<B> {
    /// What the order of versions looks at.
    pub const fn rank(&self) -> Rank {
        Rank { stamp: self.stamp, origin_joined: self.origin.joined, uuid: self.uuid }
    }

    /// The same version with another body.
    pub fn with_body<C>(self, body: C) -> Version<C> {
        Version {
            stamp: self.stamp,
            origin: self.origin,
            uuid: self.uuid,
            created_at: self.created_at,
            owner: self.owner,
            expires_at: self.expires_at,
            body,
        }
    }
}

impl Version<Body> {
    /// The version without the bytes of its body.
    pub fn head(&self) -> Head {
        Version {
            stamp: self.stamp,
            origin: self.origin,
            uuid: self.uuid,
            created_at: self.created_at,
            owner: self.owner,
            expires_at: self.expires_at,
            body: self.body.kind(),
        }
    }
}

impl Head {
    /// Why the record reads as absent at `now`, or nothing if it does not.
    ///
    /// An expired version is its own tombstone: nothing is written when time passes.
    pub fn absence(&self, now: UnixMillis) -> Option<Absence> {
        match (self.body, self.expires_at) {
            (BodyKind::Tombstone, _) => Some(Absence::DeletedAt(self.stamp.millis())),
            (_, Some(at)) if at <= now => Some(Absence::ExpiredAt(at)),
            _ => None,
        }
    }

    /// The stamp at which the record is dead: a tombstone at its own, an expiring version at its
    /// expiry or at its own if that is later. Nothing for a version that lives on.
    pub fn dies(&self) -> Option<Stamp> {
        match (self.body, self.expires_at) {
            (BodyKind::Tombstone, _) => Some(self.stamp),
            (_, Some(at)) => Some(self.stamp.max(Stamp::at(at))),
            _ => None,
        }
    }
}
