//! The digest tree as a file: of its leaves only those that are not empty, in runs, so that a small
//! store costs a small file.
//!
//! Numbers lie little-endian: magic, depth (4 bytes), the store's sequence (8 bytes); for each run
//! the number of its first leaf and how many there are (4 bytes each) and the leaves, each its two
//! sums (8 bytes each) and its count (4 bytes); the BLAKE3 hash of all that.

use kvs_core::digest::{FANOUT, Summary, Tree};

const MAGIC: &[u8; 8] = b"KVSTREE2";
/// Bytes of a leaf.
const LEAF: usize = 20;
/// Bytes of what precedes the leaves of a run.
const RUN: usize = 8;

/// The tree of a store at `sequence`.
pub(super) fn encode(tree: &Tree, sequence: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(tree.depth().to_le_bytes());
    bytes.extend(sequence.to_le_bytes());
    let leaves: Vec<Summary> = tree.leaves().collect();
    let empty = |leaf: &Summary| *leaf == Summary::default();
    let mut first = 0;
    for run in leaves.chunk_by(|one, next| empty(one) == empty(next)) {
        if !empty(&run[0]) {
            push_run(&mut bytes, first, run);
        }
        first += run.len();
    }
    let hash = blake3::hash(&bytes);
    bytes.extend(hash.as_bytes());
    bytes
}

fn push_run(bytes: &mut Vec<u8>, first: usize, run: &[Summary]) {
    bytes.reserve(RUN + LEAF * run.len());
    for number in [first, run.len()] {
        // A tree has far fewer leaves.
        bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    }
    for leaf in run {
        bytes.extend(leaf.sum[0].to_le_bytes());
        bytes.extend(leaf.sum[1].to_le_bytes());
        bytes.extend(leaf.count.to_le_bytes());
    }
}

/// The tree in these bytes, if they are as they were written and of this depth and sequence.
pub(super) fn decode(bytes: &[u8], depth: u32, sequence: u64) -> Option<Tree> {
    let (content, hash) = bytes.split_last_chunk::<32>()?;
    if blake3::hash(content).as_bytes() != hash {
        return None;
    }
    let rest = content.strip_prefix(MAGIC)?;
    let rest = rest.strip_prefix(&depth.to_le_bytes())?;
    let mut runs = rest.strip_prefix(&sequence.to_le_bytes())?;
    let mut leaves = vec![Summary::default(); FANOUT.pow(depth)];
    while !runs.is_empty() {
        runs = read_run(runs, &mut leaves)?;
    }
    Tree::from_leaves(depth, leaves.into_iter())
}

/// Reads a run into its place, and answers what follows it.
fn read_run<'a>(bytes: &'a [u8], leaves: &mut [Summary]) -> Option<&'a [u8]> {
    let (first, bytes) = bytes.split_first_chunk()?;
    let (count, bytes) = bytes.split_first_chunk()?;
    let [first, count] = [first, count].map(|number| u32::from_le_bytes(*number) as usize);
    let (run, rest) = bytes.split_at_checked(count * LEAF)?;
    let places = leaves.get_mut(first..first + count)?;
    for (place, leaf) in places.iter_mut().zip(run.chunks_exact(LEAF)) {
        *place = read_leaf(leaf)?;
    }
    Some(rest)
}

fn read_leaf(bytes: &[u8]) -> Option<Summary> {
    let (left, bytes) = bytes.split_first_chunk()?;
    let (right, bytes) = bytes.split_first_chunk()?;
    let count = bytes.try_into().ok()?;
    let sum = [left, right].map(|lane| u64::from_le_bytes(*lane));
    Some(Summary { sum, count: u32::from_le_bytes(count) })
}

#[cfg(test)]
mod tests {
    use kvs_core::digest::{Item, Leaf, Position};
    use proptest::prelude::*;

    use super::*;

    const DEPTH: u32 = 3;
    /// Bytes before the runs, and the hash after them.
    const FRAME: usize = 8 + 4 + 8 + 32;

    /// A tree with something in these leaves.
    fn tree(leaves: impl IntoIterator<Item = u64>) -> Tree {
        let mut tree = Tree::new(DEPTH);
        for leaf in leaves {
            tree.add(Leaf { position: Position(leaf << 52), item: Item([leaf, u64::MAX]) });
        }
        tree
    }

    proptest! {
        #[test]
        fn a_tree_reads_as_it_was_written(leaves in prop::collection::vec(0u64..4096, 0..200)) {
            let tree = tree(leaves);
            prop_assert_eq!(decode(&encode(&tree, 7), DEPTH, 7), Some(tree));
        }

        #[test]
        fn whatever_lies_there_never_panics(content in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut bytes = encode(&tree([]), 7);
            bytes.truncate(FRAME - 32);
            bytes.extend(content);
            bytes.extend(blake3::hash(&bytes).as_bytes());
            decode(&bytes, DEPTH, 7);
        }
    }

    #[test]
    fn a_tree_costs_what_is_in_it() {
        assert_eq!(encode(&tree([]), 7).len(), FRAME);
        assert_eq!(encode(&tree([5, 5]), 7).len(), FRAME + RUN + LEAF);
        assert_eq!(encode(&tree([5, 6, 9]), 7).len(), FRAME + 2 * RUN + 3 * LEAF);
        let full = encode(&tree(0..4096), 7);
        assert_eq!(full.len(), FRAME + RUN + 4096 * LEAF);
        assert_eq!(decode(&full, DEPTH, 7), Some(tree(0..4096)));
    }

    #[test]
    fn what_was_changed_or_is_of_another_store_is_not_believed() {
        let bytes = encode(&tree([5, 4095]), 7);
        assert!(decode(&bytes, DEPTH, 7).is_some());
        assert!(decode(&bytes, DEPTH, 8).is_none());
        assert!(decode(&bytes, DEPTH + 1, 7).is_none());
        assert!(decode(&bytes[..bytes.len() - 1], DEPTH, 7).is_none());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(decode(&changed, DEPTH, 7).is_none(), "byte {at}");
        }
    }

    #[test]
    fn a_run_beyond_the_last_leaf_is_no_tree() {
        let with_run = |first: u32, count: u32| {
            let mut bytes = encode(&tree([]), 7);
            bytes.truncate(FRAME - 32);
            bytes.extend(first.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(vec![1; LEAF * count.min(9) as usize]);
            bytes.extend(blake3::hash(&bytes).as_bytes());
            decode(&bytes, DEPTH, 7)
        };
        assert!(with_run(4094, 2).is_some());
        for (first, count) in [(4095, 2), (4096, 1), (u32::MAX, 1), (0, u32::MAX)] {
            assert!(with_run(first, count).is_none(), "{count} from {first}");
        }
    }
}
