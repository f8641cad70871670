//! Removing the dead, once nobody could bring them back.

use kvs_core::{RecordId, Stamp};

use super::{Applier, Group, Outcome};
use crate::store::{Batch, Column, Flush, Store, StoreError, rows};

/// What one step of collecting did.
#[derive(Debug)]
pub struct Collected {
    /// What left the digest tree.
    pub outcome: Outcome,
    /// The row of `dies` from which the next step goes on; nothing after the last step.
    pub next: Option<Vec<u8>>,
}

impl Applier {
    /// Removes records that were dead before `horizon`, which every member of the cluster has
    /// passed, looking at up to `limit` rows of `dies` from `from` on. The horizon is written first:
    /// who reads changes must know that some may be gone.
    ///
    /// A damaged record is left as it is, and named in the log.
    ///
    /// # Errors
    ///
    /// As [`Applier::apply`].
    pub fn collect(
        &mut self,
        store: &dyn Store,
        horizon: Stamp,
        from: &[u8],
        limit: usize,
    ) -> Result<Collected, StoreError> {
        let mut group = self.group(store, horizon.millis(), Batch::default());
        if horizon > self.horizon {
            let bits = horizon.bits().to_be_bytes();
            group.batch.put(Column::Local, rows::local::HORIZON, &bits);
        }
        let deaths = deaths(store, horizon, from, limit)?;
        for death in &deaths {
            match self.bury(&mut group, death) {
                Err(error) if error.is_damage() => {
                    tracing::error!(%error, "a dead record is not removed: it is damaged");
                }
                buried => buried?,
            }
        }
        let full = deaths.len() == limit;
        let next = deaths.into_iter().next_back().filter(|_| full);
        let outcome = self.finish(store, group, Flush::Later)?;
        self.horizon = self.horizon.max(horizon);
        Ok(Collected { outcome, next })
    }

    /// Removes the record that a row of `dies` names, if that is what killed it.
    fn bury(&self, group: &mut Group<'_>, death: &[u8]) -> Result<(), StoreError> {
        let (died, record) = rows::read_timed(Column::Dies, death)?;
        let row = record.encode();
        let Some(old) = group.current(&row)? else { return Ok(()) };
        if old.head.dies() == Some(died) {
            self.remove(group, &record, &row, &old);
            group.overlay.insert(row, None);
        } else {
            // Nothing that lives may go for a row that is left over.
            tracing::error!("a record was said to be dead and is not; it stays");
            group.overlay.insert(row, Some(old));
        }
        Ok(())
    }

    fn remove(&self, group: &mut Group<'_>, record: &RecordId, row: &[u8], old: &super::Current) {
        group.remove_index(row, old);
        for revision in &old.local.revisions {
            let key = rows::revision(&record.key, revision.stamp, revision.uuid);
            group.batch.delete(Column::Revisions, &key);
        }
        let leaf = self.leaf(row, &old.head);
        group.batch.delete(Column::Hidx, &rows::hidx(leaf.position, row));
        group.batch.delete(Column::Data, row);
        group.outcome.removed.push(leaf);
    }
}

/// The rows of `dies` before `horizon`, from `from` on.
fn deaths(
    store: &dyn Store,
    horizon: Stamp,
    from: &[u8],
    limit: usize,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut cursor = store.cursor(Column::Dies, from, &horizon.bits().to_be_bytes());
    let mut deaths = Vec::new();
    while deaths.len() < limit
        && let Some((row, _)) = cursor.next()?
    {
        deaths.push(row.to_vec());
    }
    Ok(deaths)
}
