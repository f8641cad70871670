//! Checking, bit by bit, that the index says what the data does, and the tree what the index does.

use kvs_core::codec;
use kvs_core::digest::{Entry, FANOUT, Position, Summary, Tree};

use super::{Applier, Flush};
use crate::digest::Digest;
use crate::store::{Batch, Column, Store, StoreError, rows};

/// Rows of `data` that one step looks at.
const ROWS: usize = 64;

/// Where a scrub goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubPosition {
    /// The least row of `data` that comes next.
    data: Vec<u8>,
    /// The tree node above the leaves that comes next.
    node: usize,
}

/// What a step of a scrub found, and mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Rows of the index that were missing, wrong, or of nothing.
    pub rows: u64,
    /// Leaves of the tree that did not say what the index does.
    pub leaves: u64,
}

impl Applier {
    /// Looks at some rows of `data` and at some leaves of the tree, mends what is wrong with the
    /// index, and says where to go on. Nothing else may write meanwhile.
    ///
    /// # Errors
    ///
    /// A row cannot be read; nothing was mended.
    pub fn scrub(
        &self,
        store: &dyn Store,
        digest: &Digest,
        at: ScrubPosition,
    ) -> Result<(Scrubbed, ScrubPosition), StoreError> {
        if !digest.is_ready() {
            return Ok((Scrubbed::default(), at));
        }
        let mut batch = Batch::default();
        let (rows, data) = self.scrub_data(store, &at.data, &mut batch)?;
        let (listed, leaves) = self.scrub_leaves(store, digest.depth(), at.node, &mut batch)?;
        if !batch.is_empty() {
            store.write(&batch, Flush::Later)?;
        }
        let first = (at.node * FANOUT) as u64;
        let wrong = (first..).zip(leaves).filter(|(leaf, says)| digest.correct(*leaf, *says));
        let found = Scrubbed { rows: rows + listed, leaves: wrong.count() as u64 };
        let nodes = FANOUT.pow(digest.depth().saturating_sub(1));
        Ok((found, ScrubPosition { data, node: (at.node + 1) % nodes }))
    }

    /// Has every row of `data` in the index; the next round begins at the first row again.
    fn scrub_data(
        &self,
        store: &dyn Store,
        from: &[u8],
        batch: &mut Batch,
    ) -> Result<(u64, Vec<u8>), StoreError> {
        let mut data = store.cursor(Column::Data, from, &[0xff]);
        let (mut mended, mut next) = (0, Vec::new());
        for _ in 0..ROWS {
            next.clear();
            let Some((row, value)) = data.next()? else { break };
            next.extend(row);
            next.push(0);
            // A damaged row is named by whoever reads it.
            let Ok((_, head)) = codec::decode_row_head(value) else { continue };
            let index = rows::hidx(self.digest_key.position(row), row);
            let entry = Entry::from(&head).to_bytes();
            if store.get(Column::Hidx, &index)?.as_deref() != Some(&entry) {
                batch.put(Column::Hidx, &index, &entry);
                mended += 1;
            }
        }
        Ok((mended, next))
    }

    /// Corrects rows of the index, removes those that are of nothing, and says what the leaves below a tree node sum
    /// up to.
    fn scrub_leaves(
        &self,
        store: &dyn Store,
        depth: u32,
        node: usize,
        batch: &mut Batch,
    ) -> Result<(u64, [Summary; FANOUT]), StoreError> {
        let (start, end) = Tree::range(depth.saturating_sub(1), node);
        let end = end.map_or(vec![0xff; 9], |end| end.0.to_be_bytes().to_vec());
        let mut index = store.cursor(Column::Hidx, &start.0.to_be_bytes(), &end);
        let (mut mended, mut leaves) = (0, [Summary::default(); FANOUT]);
        while let Some((row, value)) = index.next()? {
            let Some((position, record)) = row.split_first_chunk() else { continue };
            let position = Position(u64::from_be_bytes(*position));
            let there = position == self.digest_key.position(record);
            let Some(entry) = entry_of(store, record)?.filter(|_| there) else {
                batch.delete(Column::Hidx, row);
                mended += 1;
                continue;
            };
            if entry.to_bytes() != value {
                batch.put(Column::Hidx, row, &entry.to_bytes());
                mended += 1;
            }
            leaves[leaf_below(position, depth)].add(self.digest_key.item(record, &entry));
        }
        Ok((mended, leaves))
    }
}

/// What the index is to say of a record; nothing if it is not there or cannot be read.
fn entry_of(store: &dyn Store, record: &[u8]) -> Result<Option<Entry>, StoreError> {
    let row = store.get(Column::Data, record)?;
    let head = row.and_then(|row| codec::decode_row_head(&row).ok());
    Ok(head.map(|(_, head)| Entry::from(&head)))
}

/// Which of the leaves below its tree node a position lies in.
fn leaf_below(position: Position, depth: u32) -> usize {
    let leaf = position.0.checked_shr(64 - 4 * depth).unwrap_or(0);
    usize::try_from(leaf).unwrap_or(0) % FANOUT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;
    use crate::store::Read as _;
    use crate::writer::apply::tests::Fixture;

    /// Enough steps to look at everything once.
    fn scrub(fixture: &Fixture, digest: &Digest) -> Scrubbed {
        let (mut all, mut at) = (Scrubbed::default(), ScrubPosition::default());
        for _ in 0..FANOUT {
            let (found, next) = fixture.applier.scrub(&fixture.store, digest, at).unwrap();
            all = Scrubbed { rows: all.rows + found.rows, leaves: all.leaves + found.leaves };
            at = next;
        }
        all
    }

    fn filled() -> (Fixture, Digest) {
        let mut fixture = Fixture::new(1);
        for number in 0..40 {
            fixture.put(&format!("k/{number}"), "1").unwrap();
        }
        let digest = Digest::empty(2);
        digest.rebuild(&fixture.store, &fixture.key).unwrap();
        (fixture, digest)
    }

    #[test]
    fn an_index_that_is_right_is_left_alone() {
        let (fixture, digest) = filled();
        assert_eq!(scrub(&fixture, &digest), Scrubbed::default());
    }

    #[test]
    fn rows_that_are_missing_wrong_or_of_nothing_are_mended_and_the_tree_with_them() {
        let (fixture, digest) = filled();
        let root = digest.root();
        let mut index = Vec::new();
        let mut cursor = fixture.store.cursor(Column::Hidx, &[], &[0xff; 9]);
        while let Some((row, _)) = cursor.next().unwrap() {
            index.push(row.to_vec());
        }
        let mut batch = Batch::default();
        batch.delete(Column::Hidx, &index[0]);
        batch.put(Column::Hidx, &index[1], &[7; Entry::LEN]);
        let mut orphan = index[2].clone();
        orphan.insert(orphan.len() - 1, b'x');
        batch.put(Column::Hidx, &orphan, &[7; Entry::LEN]);
        fixture.store.write(&batch, Flush::Later).unwrap();
        let damaged = Digest::empty(2);
        damaged.rebuild(&fixture.store, &fixture.key).unwrap();
        assert_ne!(damaged.root(), root);

        let found = scrub(&fixture, &damaged);
        // A row that is wrong may be met twice: by its record, and by its place.
        assert!((3..=4).contains(&found.rows) && found.leaves >= 1, "{found:?}");
        scrub(&fixture, &damaged);
        assert_eq!(damaged.root(), root);
        assert_eq!(digest::derive(&fixture.store, &fixture.key, 2).ok(), root);
    }
}
