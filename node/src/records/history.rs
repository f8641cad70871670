//! Older versions of a value.

use kvs_core::{Key, RecordId, Stamp, Superseded, UnixMillis, Version, VersionId};

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
    /// first. Older ones from before `oldest` are left out.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub fn history(&self, key: &Key, oldest: UnixMillis) -> Result<Vec<Revision>, StoreError> {
        let newest = self.newest(&RecordId::value(key.clone()))?;
        let Some((_, version)) = newest else { return Ok(Vec::new()) };
        let mut history = vec![Revision { version, superseded: None }];
        let (start, end) = rows::revisions_of(key);
        let mut cursor = self.read.cursor(Column::Revisions, &start, &end);
        while let Some((row, value)) = cursor.next()? {
            let (reason, version) = rows::read_revision(row, value.to_vec())?;
            if version.stamp >= Stamp::at(oldest) {
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
