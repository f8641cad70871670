//! Deletes many rows.

use super::{Batch, Column, Read, StoreError};

/// Rows that are deleted in one batch.
const STEP: usize = 4_096;

/// Deletes the rows with `start <= key < end`, in batches that are bounded, each of which `write` writes.
///
/// # Errors
///
/// A row cannot be read, or `write` says so. What was written by then is.
pub(crate) fn sweep<E: From<StoreError>>(
    store: &dyn Read,
    column: Column,
    (start, end): (&[u8], &[u8]),
    mut write: impl FnMut(Batch) -> Result<(), E>,
) -> Result<(), E> {
    let mut from = start.to_vec();
    loop {
        // Not from the start each time: a store walks over what was deleted.
        let batch = deletes(store, column, &mut from, end)?;
        if batch.is_empty() {
            return Ok(());
        }
        write(batch)?;
    }
}

/// Deletes the first rows from `from` on, which is the last of them then.
fn deletes(
    store: &dyn Read,
    column: Column,
    from: &mut Vec<u8>,
    end: &[u8],
) -> Result<Batch, StoreError> {
    let (mut batch, mut rows) = (Batch::default(), store.cursor(column, from, end));
    for _ in 0..STEP {
        let Some((row, _)) = rows.next()? else { break };
        batch.delete(column, row);
        row.clone_into(from);
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Flush, MemoryStore, Store as _};

    #[test]
    fn what_is_in_the_range_goes_however_much_it_is_and_nothing_else() {
        let store = MemoryStore::default();
        let mut batch = Batch::default();
        let rows = u32::try_from(STEP).unwrap() + 3;
        for row in 0..rows {
            batch.put(Column::Audit, &row.to_be_bytes(), b"");
        }
        store.write(&batch, Flush::Later).unwrap();
        let range = (&1_u32.to_be_bytes()[..], &(rows - 1).to_be_bytes()[..]);
        let mut batches = 0;
        let write = |batch: Batch| {
            batches += 1;
            store.write(&batch, Flush::Later)
        };
        sweep(&store, Column::Audit, range, write).unwrap();
        assert_eq!(batches, 2);
        let mut left = store.cursor(Column::Audit, &[], &[0xff; 5]);
        for row in [0, rows - 1] {
            assert_eq!(left.next().unwrap().unwrap().0, row.to_be_bytes());
        }
        assert_eq!(left.next().unwrap(), None);
    }
}
