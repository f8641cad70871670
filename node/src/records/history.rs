//! Older versions of a value.

use kvs_core::{Key, Stamp, Superseded, UnixMillis, Version, VersionId};

use super::View;
use crate::store::{Column, StoreError, rows};

/// A version of a value, present or past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The version.
    pub version: Version,
    /// Why it is not the newest; nothing if it is.
    pub superseded: Option<Superseded>,
}

impl View<'_> {
    /// The newest version of a value, dead or alive, then the older ones that are kept, newest
    /// first. Left out are older ones from before `oldest`, and those that the caller may not read
    /// by today's metadata.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn history(&self, key: &Key, oldest: UnixMillis) -> Result<Vec<Revision>, StoreError> {
        let Some((_, version)) = self.newest(key)? else { return Ok(Vec::new()) };
        let facts = self.facts(key, Some(version.head()))?;
        let mut history = vec![Revision { version, superseded: None }];
        let (start, end) = rows::revisions_of(key);
        let mut cursor = self.read.cursor(Column::Revisions, &start, &end);
        while let Some((row, value)) = cursor.next()? {
            let (reason, version) = rows::read_revision(row, value.to_vec())?;
            if version.stamp >= Stamp::at(oldest) && self.may_read_revision(key, &facts, &version) {
                history.push(Revision { version, superseded: Some(reason) });
            }
        }
        Ok(history)
    }

    /// One version of a value, present or past.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn revision(
        &self,
        key: &Key,
        uuid: VersionId,
        oldest: UnixMillis,
    ) -> Result<Option<Revision>, StoreError> {
        let history = self.history(key, oldest)?;
        Ok(history.into_iter().find(|revision| revision.version.uuid == uuid))
    }
}
