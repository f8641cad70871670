//! A key as the decision sees it.

use super::{Governed, Record};
use crate::id::UserId;
use crate::key::Key;
use crate::meta::Meta;
use crate::mode::{Mode, Permission};

/// What is known of a key that somebody wants something of.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// Which.
    pub key: &'a Key,
    /// Whether it holds a value now.
    pub present: bool,
    /// Who first wrote its value, or, where it has none, its own metadata.
    pub first_writer: Option<UserId>,
    /// Its own metadata.
    pub own: Option<&'a Meta>,
    /// The nearest ancestor that has metadata.
    pub above: Option<Governing<'a>>,
    /// Who owned the revision that is to be read or restored. It must then be readable under today's
    /// metadata with either owner, so that nobody reads what was another's by writing the key anew.
    pub former_owner: Option<UserId>,
}

/// An ancestor that has metadata.
#[derive(Clone, Copy, Debug)]
pub struct Governing<'a> {
    /// Which.
    pub key: &'a Key,
    /// Its metadata.
    pub meta: &'a Meta,
    /// Who first wrote its value, or, where it has none, its metadata.
    pub first_writer: Option<UserId>,
}

impl<'a> Resource<'a> {
    /// A key of which nothing is known: absent, and nothing governs it.
    pub const fn unwritten(key: &'a Key) -> Self {
        Self { key, present: false, first_writer: None, own: None, above: None, former_owner: None }
    }

    /// Whether it has a value or metadata of its own.
    pub const fn is_there(&self) -> bool {
        self.present || self.own.is_some()
    }

    /// The key's owner: as its governing metadata says, else whoever first wrote it.
    pub fn owner(&self) -> Option<UserId> {
        let set = self.governing().and_then(|(_, meta)| meta.owner);
        set.or_else(|| self.is_there().then_some(self.first_writer)?)
    }

    /// What governs `permission` on the key.
    pub(super) fn governed(&self, permission: Permission) -> Governed {
        match permission {
            Permission::Create => self.governed_above(),
            _ => self.governed_by(self.owner()),
        }
    }

    /// What would govern the key if `owner` were the one who first wrote it.
    pub(super) fn governed_under(&self, owner: UserId) -> Governed {
        let set = self.governing().and_then(|(_, meta)| meta.owner);
        self.governed_by(Some(set.unwrap_or(owner)))
    }

    fn governed_by(&self, owner: Option<UserId>) -> Governed {
        match self.governing() {
            Some((record, meta)) => governed(record, meta, owner),
            None => governed(Record::Default, &Meta::default(), owner),
        }
    }

    fn governed_above(&self) -> Governed {
        match &self.above {
            Some(above) => {
                let owner = above.meta.owner.or(above.first_writer);
                governed(Record::Of(above.key.clone()), above.meta, owner)
            }
            None => governed(Record::Default, &Meta::default(), None),
        }
    }

    fn governing(&self) -> Option<(Record, &'a Meta)> {
        let own = self.own.map(|meta| (self.key, meta));
        let above = self.above.map(|above| (above.key, above.meta));
        own.or(above).map(|(key, meta)| (Record::Of(key.clone()), meta))
    }
}

fn governed(record: Record, meta: &Meta, owner: Option<UserId>) -> Governed {
    Governed { record, owner, group: meta.group, mode: meta.mode.unwrap_or(Mode::DEFAULT) }
}
