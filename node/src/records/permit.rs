//! What decides about a key, as it is stored: who wrote it, and which metadata governs it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{PoisonError, RwLock};

use kvs_core::access::{Action, Governing, Resource};
use kvs_core::{Body, Head, Key, Kind, Meta, Prefix, RecordId, UnixMillis, UserId, Version};

use super::{View, live};
use crate::store::{Column, Read, StoreError};

/// Which keys may have metadata of their own: of any other, nobody need look for it. It errs on the
/// side of looking, and costs 16 bytes for each key that has some.
#[derive(Debug, Default)]
pub struct MetaKeys(RwLock<HashSet<u64>>);

impl MetaKeys {
    /// Those of a store.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn load(store: &dyn Read) -> Result<Self, StoreError> {
        let (start, end) = Prefix::Root.range(Kind::Meta);
        let mut cursor = store.cursor(Column::Data, &start, &end);
        let mut known = HashSet::new();
        while let Some((row, _)) = cursor.next()? {
            known.insert(hash(&super::record_of(row)?.key));
        }
        Ok(Self(RwLock::new(known)))
    }

    /// Takes note of keys whose metadata was set.
    pub fn note(&self, keys: &[Key]) {
        if !keys.is_empty() {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.extend(keys.iter().map(hash));
        }
    }

    /// Whether no key has any.
    pub fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The key and the prefixes above it, nearest first, of which any may have metadata.
    pub fn near(&self, key: &Key) -> Vec<Key> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return Vec::new();
        }
        let all = std::iter::once(key.clone()).chain(key.ancestors());
        all.filter(|key| known.contains(&hash(key))).collect()
    }
}

fn hash(key: &Key) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.as_str().hash(&mut hasher);
    hasher.finish()
}

/// Metadata, where it was set, and who first set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governs {
    /// Where.
    pub key: Key,
    /// What was set.
    pub meta: Meta,
    /// Who first wrote the value there or, where there is none, the metadata.
    pub first_writer: Option<UserId>,
}

/// What decides about a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The newest version of its value, dead or alive.
    pub head: Option<Head>,
    /// Its own metadata.
    pub own: Option<Governs>,
    /// That of the nearest prefix above that has some.
    pub above: Option<Governs>,
}

impl Facts {
    /// The facts of a value whose newest version is `head`, as long as nothing governs it.
    pub fn of(head: Option<Head>) -> Self {
        Self { head, own: None, above: None }
    }

    /// Adds metadata that was found on a key or above it, nearest first; says whether that is all
    /// there is to know.
    pub fn add(&mut self, key: &Key, found: Governs) -> bool {
        if found.key == *key {
            self.own = Some(found);
            return false;
        }
        self.above = Some(found);
        true
    }

    /// The key for somebody who wants to write it: what is dead is not there.
    pub fn to_write<'a>(&'a self, key: &'a Key, now: UnixMillis) -> Resource<'a> {
        let there = self.head.as_ref().filter(|head| head.absence(now).is_none());
        self.resource(key, there)
    }

    /// The key for somebody who wants to see it: whoever might see the value may know that it is gone.
    pub fn to_read<'a>(&'a self, key: &'a Key) -> Resource<'a> {
        self.resource(key, self.head.as_ref())
    }

    /// The key as if it had never been.
    pub fn unwritten<'a>(&'a self, key: &'a Key) -> Resource<'a> {
        Resource { above: self.above.as_ref().map(governing), ..Resource::unwritten(key) }
    }

    fn resource<'a>(&'a self, key: &'a Key, head: Option<&Head>) -> Resource<'a> {
        let own_writer = self.own.as_ref().and_then(|own| own.first_writer);
        Resource {
            present: head.is_some(),
            first_writer: head.map_or(own_writer, |head| head.owner),
            own: self.own.as_ref().map(|own| &own.meta),
            above: self.above.as_ref().map(governing),
            ..Resource::unwritten(key)
        }
    }
}

fn governing(governs: &Governs) -> Governing<'_> {
    let Governs { key, meta, first_writer } = governs;
    Governing { key, meta, first_writer: *first_writer }
}

/// What a version of metadata says; nothing if it says nothing any more. `value` is the newest
/// version of the value beside it.
pub fn governs(key: &Key, version: Version, value: Option<&Head>) -> Option<Governs> {
    let Body::Meta(meta) = version.body else { return None };
    let first_writer = value.map_or(version.owner, |head| head.owner);
    Some(Governs { key: key.clone(), meta, first_writer })
}

impl View<'_> {
    /// What decides about `key`, whose value's newest version is `head`.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn facts(&self, key: &Key, head: Option<Head>) -> Result<Facts, StoreError> {
        let mut facts = Facts::of(head);
        for near in self.metadata.near(key) {
            let record = RecordId::meta(near.clone());
            let Ok(version) = live(self.row(&record)?, self.now) else { continue };
            let value = self.live_value_head(&near)?;
            if let Some(found) = governs(&near, version, value.as_ref())
                && facts.add(key, found)
            {
                break;
            }
        }
        Ok(facts)
    }

    fn live_value_head(&self, key: &Key) -> Result<Option<Head>, StoreError> {
        let row = RecordId::value(key.clone()).encode();
        match self.read.get(Column::Data, &row)? {
            Some(value) => self.live_head(&row, &value),
            None => Ok(None),
        }
    }

    /// Whether the caller may know of `key`, whose value's newest version is `head`. What may not be
    /// read looks as if never written.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn may_read(&self, key: &Key, head: Option<&Head>) -> Result<bool, StoreError> {
        if key.is_system() {
            return Ok(false);
        }
        if self.caller.is_unlimited() {
            return Ok(true);
        }
        let facts = self.facts(key, head.cloned())?;
        Ok(self.caller.decide(Action::Read, &facts.to_read(key), self.now).is_allowed())
    }

    /// Whether there is a value that the caller may not know of. What cannot be read is told to
    /// whoever reads it.
    pub fn hides(&self, key: &Key) -> bool {
        if self.caller.is_unlimited() {
            return false;
        }
        let Ok(Some((_, version))) = self.row(&RecordId::value(key.clone())) else { return false };
        matches!(self.may_read(key, Some(&version.head())), Ok(false))
    }

    /// Whether the caller may know of the metadata that governs `key`.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn may_read_metadata(&self, key: &Key) -> Result<bool, StoreError> {
        let value = self.row(&RecordId::value(key.clone()))?;
        let head = value.map(|(_, version)| version.head());
        self.may_read(key, head.as_ref())
    }

    /// Whether a key below `key` belongs to somebody else than `user`, or may do: more are not
    /// looked at than one call may.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn is_above_others(&self, key: &Key, user: Option<UserId>) -> Result<bool, StoreError> {
        for kind in [Kind::Value, Kind::Meta] {
            let (start, end) = Prefix::Under(key.clone()).range(kind);
            let mut rows = self.read.cursor(Column::Data, &start, &end);
            let mut looked = 0;
            while let Some((row, value)) = rows.next()? {
                let owner = self.owner_of(row, value)?;
                looked += 1;
                if owner.is_some_and(|owner| Some(owner) != user) || looked >= self.scan_keys {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Who owns what is there: who first wrote it, or whom its metadata names.
    fn owner_of(&self, row: &[u8], value: &[u8]) -> Result<Option<UserId>, StoreError> {
        let Some(head) = self.live_head(row, value)? else { return Ok(None) };
        let (_, version) = super::decode(row, value.to_vec())?;
        let named = match version.body {
            Body::Meta(meta) => meta.owner,
            _ => None,
        };
        Ok(named.or(head.owner))
    }

    /// The same for a version that was the current one once: it must be readable whoever of both
    /// owners the key has.
    pub(super) fn may_read_revision(&self, key: &Key, facts: &Facts, former: &Version) -> bool {
        let current = facts.head.as_ref().and_then(|head| head.owner);
        let former_owner = former.owner.filter(|owner| Some(*owner) != current);
        let resource = Resource { former_owner, ..facts.to_read(key) };
        self.caller.is_unlimited()
            || self.caller.decide(Action::Read, &resource, self.now).is_allowed()
    }
}
