//! The Merkle tree of RFC 6962, section 2.1, over SHA-256.
//!
//! A subtree of 2ⁿ leaves that begins at a multiple of 2ⁿ never changes once it is full. Those are
//! kept ([`Nodes`]), by level (leaves are level 0) and by place within it; every other hash is worked
//! out from them. A [`Frontier`] is what appending needs: at most 64 hashes.

mod frontier;
mod proof;

use sha2::{Digest as _, Sha256};

pub use self::frontier::{Frontier, Node};
pub use self::proof::{ProofError, verify_consistency, verify_inclusion};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The full subtrees of a log, wherever they are kept.
pub trait Nodes {
    /// Why a hash could not be read.
    type Error;

    /// The hash of the full subtree at `index` within `level`: of leaves `index << level` up to
    /// `(index + 1) << level`. Asked only for subtrees that are full.
    ///
    /// # Errors
    ///
    /// It could not be read, or is not there.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The hash of a leaf.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// The hash of two subtrees, side by side.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The root of the tree as it was when it had `size` leaves.
///
/// # Errors
///
/// A node could not be read.
pub fn root<N: Nodes>(nodes: &N, size: u64) -> Result<Hash, N::Error> {
    if size == 0 { Ok(empty_root()) } else { range(nodes, 0, size) }
}

/// The proof that the leaf at `index` is in the tree of `size` leaves, from the leaf up. Nothing for
/// an index that is not in the tree.
///
/// # Errors
///
/// A node could not be read.
pub fn inclusion<N: Nodes>(
    nodes: &N,
    index: u64,
    size: u64,
) -> Result<Option<Vec<Hash>>, N::Error> {
    if index >= size {
        return Ok(None);
    }
    let (mut start, mut end, mut proof) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(range(nodes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(Some(proof))
}

/// The proof that the tree of `old` leaves is the beginning of the tree of `new` leaves. Nothing if
/// the old one is the larger. Empty where there is nothing to prove: for none, and for as many.
///
/// # Errors
///
/// A node could not be read.
pub fn consistency<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Option<Vec<Hash>>, N::Error> {
    if old > new {
        return Ok(None);
    }
    if old == 0 || old == new {
        return Ok(Some(Vec::new()));
    }
    let (mut start, mut end, mut proof) = (0, new, Vec::new());
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(range(nodes, start, middle)?);
            start = middle;
        }
    }
    // Whoever verifies has the old root already, where that is what is left.
    if start != 0 {
        proof.push(range(nodes, start, end)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// The hash over leaves `start` to `end`, where `start` is a multiple of the power of two that is not
/// below their number.
fn range<N: Nodes>(nodes: &N, start: u64, end: u64) -> Result<Hash, N::Error> {
    let count = end - start;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return nodes.node(level, start >> level);
    }
    let middle = start + split(count);
    Ok(node_hash(&range(nodes, start, middle)?, &range(nodes, middle, end)?))
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}
