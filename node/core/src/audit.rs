//! The tamper-evident log: one entry for everything that changed something or tried to, as leaves of
//! one Merkle tree (RFC 6962) whose head the node signs.
//!
//! - An [`Entry`] says what happened; its bytes ([`Entry::encode`]) are canonical.
//! - Each entry holds the leaf hash of the one before it, so that a replaced entry is found between
//!   its neighbours even where no head tells.
//! - [`tree`] keeps the hashes of complete subtrees, which never change, in whatever store; from
//!   them come the root and proofs for the tree as it was at any size.
//! - A [`Head`] is what the node signs and peers keep: who rewrites the log needs another one.
//! - [`Verifier`] walks the rows of a log and names the first that is not as it was written.
//!
//! Signing, checking signatures and storing are the caller's.

mod bytes;
mod entry;
mod head;
pub mod tree;
mod verify;

#[cfg(test)]
mod tests;

pub use self::bytes::EntryError;
pub use self::entry::{Entry, Event, KeyHash, KeyHasher, Outcome, Subject};
pub use self::head::{Fork, Head, SignedHead, fork};
pub use self::tree::{Frontier, Hash};
pub use self::verify::{Summary, Tampered, Verifier, row};
