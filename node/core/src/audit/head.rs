//! What a node signs: the size and root of its log, and when.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tree::{self, Hash, ProofError};
use crate::id::NodeId;
use crate::stamp::UnixMillis;

/// Begins the bytes that are signed, so that no signature of anything else is one of a head.
const CONTEXT: &[u8] = b"kvs audit head 1\n";

/// The log of a node at one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Of which cluster.
    pub cluster: Uuid,
    /// Whose log.
    pub node: NodeId,
    /// How many entries it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// When the head was signed.
    pub time: UnixMillis,
}

/// A head with the node's signature over [`Head::to_sign`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// The head.
    pub head: Head,
    /// The signature.
    pub signature: Vec<u8>,
}

/// What two heads of one node say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Fork {
    /// One log can have both.
    No,
    /// No log can have both: the node rewrote its past, and the two signatures prove it.
    Rewritten,
    /// Heads of two nodes or clusters say nothing about each other.
    Unrelated,
}

impl Head {
    /// The bytes that are signed.
    pub fn to_sign(&self) -> Vec<u8> {
        let mut bytes = CONTEXT.to_vec();
        bytes.extend(self.cluster.as_bytes());
        bytes.extend(self.node.as_bytes());
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(self.time.0.to_be_bytes());
        bytes.extend(self.root);
        bytes
    }
}

/// Compares two heads whose signatures fit; `proof` is the consistency proof from the smaller to the
/// larger, which the node was asked for.
///
/// # Errors
///
/// The proof does not fit. An honest node always has one that does: one that cannot give it has
/// something to hide, though only two heads of one size prove it to others.
pub fn fork(a: &Head, b: &Head, proof: &[Hash]) -> Result<Fork, ProofError> {
    if (a.cluster, a.node) != (b.cluster, b.node) {
        return Ok(Fork::Unrelated);
    }
    if a.size == b.size {
        return Ok(if a.root == b.root { Fork::No } else { Fork::Rewritten });
    }
    let (old, new) = if a.size < b.size { (a, b) } else { (b, a) };
    tree::verify_consistency(old.size, &old.root, new.size, &new.root, proof).map(|()| Fork::No)
}
