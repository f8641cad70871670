//! The digest tree: two nodes compare it to find exactly the records in which they differ.
//!
//! A complete 16-ary tree over 64-bit positions. Each tree node holds the wrapping sum of its items
//! as two independent 64-bit lanes, and their count. Adding and removing commute, so the order in
//! which records arrive cannot matter.
//!
//! Laws, each a property test below: equal sets have equal roots in whatever order they were built;
//! different sets have different roots; a node's children sum to it.

use std::fmt;

use crate::key::RecordId;
use crate::stamp::Stamp;
use crate::version::Head;

/// The secret under which positions and items are hashed, the same on all nodes of a cluster, so
/// that nobody who may write can search for collisions.
#[derive(Clone)]
pub struct DigestKey([u8; 32]);

impl DigestKey {
    /// The key with these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Where a record, encoded as on disk, lies in the tree.
    pub fn position(&self, record: &[u8]) -> Position {
        let hash = blake3::keyed_hash(&self.0, record);
        Position(first_u64(hash.as_bytes()))
    }

    /// What a record's version adds to the tree.
    pub fn item(&self, record: &[u8], entry: &Entry) -> Item {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(record).update(&entry.to_bytes());
        let hash = hasher.finalize();
        Item([first_u64(hash.as_bytes()), first_u64(&hash.as_bytes()[8..])])
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(…)")
    }
}

fn first_u64(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The first 64 bits of a record's hash.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

/// What one version adds to the sums: 128 bits of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item(pub [u64; 2]);

/// Which version of a record is current: the value of a row of `hidx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The version's stamp.
    pub stamp: Stamp,
    /// The version's identity.
    pub uuid: crate::VersionId,
}

impl Entry {
    /// The bytes of an entry.
    pub const LEN: usize = 24;

    /// The entry as it lies on disk.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.stamp.bits().to_be_bytes());
        bytes[8..].copy_from_slice(self.uuid.as_bytes());
        bytes
    }

    /// Reads an entry; nothing if the length is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (stamp, uuid) = bytes.split_at_checked(8)?;
        let uuid = crate::VersionId::from_bytes(uuid.try_into().ok()?);
        Some(Self { stamp: Stamp::from_bits(first_u64(stamp)), uuid })
    }
}

impl From<&Head> for Entry {
    fn from(head: &Head) -> Self {
        Self { stamp: head.stamp, uuid: head.uuid }
    }
}

/// The place and weight of one version in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where.
    pub position: Position,
    /// What.
    pub item: Item,
}

impl Leaf {
    /// The place and weight of a record's version.
    pub fn of(key: &DigestKey, record: &RecordId, entry: &Entry) -> Self {
        let row = record.encode();
        Self { position: key.position(&row), item: key.item(&row, entry) }
    }
}

/// Sum and count of the items below one tree node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Two lanes of wrapping sums.
    pub sum: [u64; 2],
    /// How many items.
    pub count: u32,
}

impl Summary {
    /// Counts one more item.
    pub fn add(&mut self, item: Item) {
        self.sum = [0, 1].map(|lane| self.sum[lane].wrapping_add(item.0[lane]));
        self.count = self.count.wrapping_add(1);
    }

    fn remove(&mut self, item: Item) {
        self.sum = [0, 1].map(|lane| self.sum[lane].wrapping_sub(item.0[lane]));
        self.count = self.count.wrapping_sub(1);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.sum[0], self.sum[1])
    }
}

/// How many children a tree node has: one hexadecimal digit of the position chooses.
pub const FANOUT: usize = 16;

/// The digest tree, in memory: 20 bytes a tree node, 22 MB with 2^20 leaves.
#[derive(Clone, PartialEq, Eq)]
pub struct Tree {
    /// Sums level by level from the root; counts beside them, so that no node is padded.
    sums: Vec<[u64; 2]>,
    counts: Vec<u32>,
    depth: u32,
}

impl Tree {
    /// An empty tree with `FANOUT`^`depth` leaves.
    #[must_use]
    pub fn new(depth: u32) -> Self {
        let nodes = level_start(depth + 1);
        Self { sums: vec![[0; 2]; nodes], counts: vec![0; nodes], depth }
    }

    /// How many levels lie below the root.
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Adds a version.
    pub fn add(&mut self, leaf: Leaf) {
        self.on_path(leaf.position, |summary| summary.add(leaf.item));
    }

    /// Takes a version away.
    pub fn remove(&mut self, leaf: Leaf) {
        self.on_path(leaf.position, |summary| summary.remove(leaf.item));
    }

    /// Has the `index`-th leaf say `says`, and all that lies above it with it.
    pub fn correct(&mut self, index: usize, says: Summary) {
        let before = self.summary(self.depth, index);
        let (start, _) = Self::range(self.depth, index);
        self.on_path(start, |summary| {
            for lane in [0, 1] {
                let without = summary.sum[lane].wrapping_sub(before.sum[lane]);
                summary.sum[lane] = without.wrapping_add(says.sum[lane]);
            }
            summary.count = summary.count.wrapping_sub(before.count).wrapping_add(says.count);
        });
    }

    /// Sum and count of everything.
    pub fn root(&self) -> Summary {
        self.summary(0, 0)
    }

    /// Sum and count of the `index`-th node of `level` (0 is the root). Empty where there is none.
    pub fn summary(&self, level: u32, index: usize) -> Summary {
        if level > self.depth || index >= FANOUT.pow(level) {
            return Summary::default();
        }
        self.at(level_start(level) + index)
    }

    /// The half-open range of positions under the `index`-th node of `level`; the end is nothing
    /// where it is beyond the last position.
    pub fn range(level: u32, index: usize) -> (Position, Option<Position>) {
        let start = |index: usize| (index as u64).checked_shl(64 - 4 * level);
        let last = index + 1 >= FANOUT.pow(level);
        let end = if last { None } else { start(index + 1).map(Position) };
        (Position(start(index).unwrap_or(0)), end)
    }

    fn at(&self, slot: usize) -> Summary {
        Summary { sum: self.sums[slot], count: self.counts[slot] }
    }

    fn on_path(&mut self, position: Position, change: impl Fn(&mut Summary)) {
        for level in 0..=self.depth {
            let index = position.0.checked_shr(64 - 4 * level).unwrap_or(0);
            // A level has at most 16^depth nodes, all of which are in memory.
            let slot = level_start(level) + usize::try_from(index).unwrap_or(usize::MAX);
            let mut summary = self.at(slot);
            change(&mut summary);
            (self.sums[slot], self.counts[slot]) = (summary.sum, summary.count);
        }
    }

    /// The leaves' summaries, from which [`Self::from_leaves`] makes the tree again.
    pub fn leaves(&self) -> impl Iterator<Item = Summary> + '_ {
        (level_start(self.depth)..self.sums.len()).map(|slot| self.at(slot))
    }

    /// The tree with these leaves; nothing if their number is not `FANOUT`^`depth`.
    pub fn from_leaves(depth: u32, leaves: impl ExactSizeIterator<Item = Summary>) -> Option<Self> {
        if leaves.len() != FANOUT.pow(depth) {
            return None;
        }
        let mut tree = Self::new(depth);
        for (slot, leaf) in (level_start(depth)..).zip(leaves) {
            (tree.sums[slot], tree.counts[slot]) = (leaf.sum, leaf.count);
        }
        tree.sum_up();
        Some(tree)
    }

    fn sum_up(&mut self) {
        for slot in (1..self.sums.len()).rev() {
            let parent = (slot - 1) / FANOUT;
            let child = self.at(slot);
            for lane in [0, 1] {
                self.sums[parent][lane] = self.sums[parent][lane].wrapping_add(child.sum[lane]);
            }
            self.counts[parent] = self.counts[parent].wrapping_add(child.count);
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree(depth {}, root {}, {} items)", self.depth, self.root(), self.counts[0])
    }
}

/// Where a level begins: the number of nodes above it.
const fn level_start(level: u32) -> usize {
    (FANOUT.pow(level) - 1) / (FANOUT - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEPTH: u32 = 3;

    fn leaves() -> impl Strategy<Value = Vec<Leaf>> {
        let leaf = (any::<u64>(), any::<[u64; 2]>())
            .prop_map(|(position, item)| Leaf { position: Position(position), item: Item(item) });
        prop::collection::vec(leaf, 0..40)
    }

    fn tree(leaves: &[Leaf]) -> Tree {
        let mut tree = Tree::new(DEPTH);
        for leaf in leaves {
            tree.add(*leaf);
        }
        tree
    }

    proptest! {
        #[test]
        fn order_of_arrival_does_not_matter(leaves in leaves().prop_shuffle(), extra in leaves()) {
            let straight = tree(&leaves);
            let mut detour = tree(&extra);
            for leaf in leaves.iter().rev() {
                detour.add(*leaf);
            }
            for leaf in &extra {
                detour.remove(*leaf);
            }
            prop_assert_eq!(straight, detour);
        }

        #[test]
        fn one_more_item_changes_exactly_its_path(leaves in leaves(), position in any::<u64>()) {
            let before = tree(&leaves);
            let mut after = before.clone();
            after.add(Leaf { position: Position(position), item: Item([3, 5]) });
            for level in 0..=DEPTH {
                let differing: Vec<_> = (0..FANOUT.pow(level))
                    .filter(|index| before.summary(level, *index) != after.summary(level, *index))
                    .collect();
                prop_assert_eq!(differing.len(), 1);
                let (start, end) = Tree::range(level, differing[0]);
                prop_assert!(start.0 <= position && end.is_none_or(|end| position < end.0));
            }
        }

        #[test]
        fn a_tree_is_its_leaves(leaves in leaves()) {
            let tree = tree(&leaves);
            let leaves: Vec<_> = tree.leaves().collect();
            prop_assert_eq!(Tree::from_leaves(DEPTH, leaves.into_iter()), Some(tree));
        }
    }

    #[test]
    fn the_documented_size_is_the_real_one() {
        let tree = Tree::new(5);
        assert_eq!(tree.leaves().count(), 1 << 20);
        assert_eq!(tree.sums.len() * 16 + tree.counts.len() * 4, 22_369_620);
    }

    #[test]
    fn another_key_hashes_elsewhere() {
        let record = RecordId::value(crate::Key::client("a").unwrap());
        let entry =
            Entry { stamp: Stamp::from_bits(1), uuid: crate::VersionId::from_bytes([2; 16]) };
        let leaf = |byte| Leaf::of(&DigestKey::new([byte; 32]), &record, &entry);
        assert_ne!(leaf(1).position, leaf(2).position);
        assert_eq!(leaf(1), leaf(1));
        assert_eq!(Entry::from_bytes(&entry.to_bytes()), Some(entry));
    }
}
