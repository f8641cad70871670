//! What a start finds out about the log that it goes on with.

use std::path::Path;

use kvs_core::audit::{Head, SignedHead, tree};

use super::stored::{broken_head, json};
use super::{Log, layout};
use crate::store::{Batch, Column, Flush, Store, StoreError};

/// Whether the log is known not to be as it was written: it does not go on from the head that was
/// signed last, or did not at an earlier start. That head is kept, since the next one takes its
/// place and would fit.
///
/// No crash shortens a log below its head: a head is written behind its entries into one write-ahead
/// log, and brought to disk with all that is before it.
pub(super) fn is_broken(
    store: &dyn Store,
    data_dir: &Path,
    head: Option<&SignedHead>,
) -> Result<bool, StoreError> {
    if let Some(broken) = broken_head(store)? {
        let signed = broken.head.size;
        tracing::error!(signed, "the audit log was tampered with; run `kvs audit verify`");
        return Ok(true);
    }
    let log = Log::open(store, data_dir)?;
    let Some(head) = head else { return Ok(false) };
    if goes_on_from(&log, &head.head)? {
        return Ok(false);
    }
    let (size, signed) = (log.sizes().size, head.head.size);
    tracing::error!(size, signed, "the audit log does not go on from the head that was signed");
    let mut batch = Batch::default();
    batch.put(Column::Local, layout::BROKEN, &json(head));
    store.write(&batch, Flush::Synced)?;
    Ok(true)
}

fn goes_on_from(log: &Log<'_>, head: &Head) -> Result<bool, StoreError> {
    if log.sizes().size < head.size {
        return Ok(false);
    }
    match tree::root(log, head.size) {
        Ok(root) => Ok(root == head.root),
        Err(error) if error.is_damage() => Ok(false),
        Err(error) => Err(error),
    }
}
