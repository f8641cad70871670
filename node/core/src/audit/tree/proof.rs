//! Whether a proof proves what it is said to: RFC 9162, sections 2.1.3.2 and 2.1.4.2.

use thiserror::Error;

use super::{Hash, empty_root, node_hash};

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The leaf is not in a tree of that size, or the old tree is the larger.
    #[error("{0} is not within a tree of {1} leaves")]
    OutOfRange(u64, u64),
    /// Too few hashes, or too many.
    #[error("the proof has not the length that it must have")]
    Length,
    /// The hashes come to another root.
    #[error("the proof does not lead to the root")]
    Root,
}

/// Whether the leaf at `index` is in the tree of `size` leaves that has this `root`.
///
/// # Errors
///
/// The proof does not show it.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange(index, size));
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for other in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if is_right(node, last) {
            hash = node_hash(other, &hash);
            (node, last) = climb(node, last);
        } else {
            hash = node_hash(&hash, other);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match last {
        0 if hash == *root => Ok(()),
        0 => Err(ProofError::Root),
        _ => Err(ProofError::Length),
    }
}

/// Whether the tree of `old` leaves with `old_root` is the beginning of that of `new` leaves with
/// `new_root`.
///
/// # Errors
///
/// The proof does not show it.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::OutOfRange(old, new));
    }
    if old == 0 || old == new {
        let same = if old == 0 { *old_root == empty_root() } else { old_root == new_root };
        return match (proof.is_empty(), same) {
            (false, _) => Err(ProofError::Length),
            (true, false) => Err(ProofError::Root),
            (true, true) => Ok(()),
        };
    }
    // An old tree that is full is itself where the proof begins.
    let start = if old.is_power_of_two() { Some((old_root, proof)) } else { proof.split_first() };
    let (first, rest) = start.ok_or(ProofError::Length)?;
    let skip = (old - 1).trailing_ones();
    let (mut node, mut last) = ((old - 1) >> skip, (new - 1) >> skip);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for other in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if is_right(node, last) {
            old_hash = node_hash(other, &old_hash);
            new_hash = node_hash(other, &new_hash);
            (node, last) = climb(node, last);
        } else {
            new_hash = node_hash(&new_hash, other);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match last {
        0 if old_hash == *old_root && new_hash == *new_root => Ok(()),
        0 => Err(ProofError::Root),
        _ => Err(ProofError::Length),
    }
}

/// Whether what the proof tells next stands to the left.
const fn is_right(node: u64, last: u64) -> bool {
    node & 1 == 1 || node == last
}

/// A right edge that has no sibling is lifted to the level where it has one.
const fn climb(node: u64, last: u64) -> (u64, u64) {
    if node & 1 == 1 || node == 0 {
        return (node, last);
    }
    let levels = node.trailing_zeros();
    (node >> levels, last >> levels)
}
