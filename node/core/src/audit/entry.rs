//! What an entry says.

use std::fmt;

use crate::id::{NodeId, TokenId, UserId, VersionId};
use crate::key::RecordId;
use crate::scope::Right;
use crate::stamp::UnixMillis;

use super::tree::Hash;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the log, counted from 0.
    pub sequence: u64,
    /// Wall time of the node that wrote it. May go back; the sequence does not.
    pub time: UnixMillis,
    /// The leaf hash of the entry before it; zeros in the first.
    pub previous: Hash,
    /// What happened.
    pub event: Event,
    /// Who did it.
    pub subject: Subject,
    /// The record that it was done to, if it was one.
    pub key: Option<KeyHash>,
    /// Whether it was done.
    pub outcome: Outcome,
}

/// What happened. The list is closed: what is not on it is not in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A value was written as this version.
    Write(VersionId),
    /// A key was deleted by this version.
    Delete(VersionId),
    /// Owner, group, mode or default life were changed by this version.
    Metadata(VersionId),
    /// Something was denied for the lack of this right, or of the bit that goes with it.
    Denial(Right),
    /// An administrator's route that needs this right was used.
    Admin(Right),
    /// A token with administrator's rights was used.
    TokenUse(TokenId),
    /// A record of accounts came from a peer.
    AccountApplied(VersionId),
    /// So many logins failed, summed per address and second.
    LoginFailures(u32),
    /// The node started, and from here on writes down what happens: what was done while it did not is
    /// not in the log.
    Started,
    /// Another node's log is not the one that it was.
    PeerRewrote(NodeId),
}

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Somebody who showed no credentials.
    Anonymous,
    /// A user.
    User(UserId),
    /// Somebody at an address, as IPv6 (IPv4 mapped into it), whose credentials were no good.
    Address([u8; 16]),
    /// Another node.
    Peer(NodeId),
    /// Whoever owns the node's data, by its socket.
    Socket,
    /// The node itself.
    Node,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// It was done.
    Done = 1,
    /// It was refused.
    Refused = 2,
    /// It was allowed and failed.
    Failed = 3,
}

/// Stands for a record: who has the cluster's key can ask for one, nobody can read which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

/// Makes what stands for records in one cluster.
#[derive(Clone)]
pub struct KeyHasher([u8; 32]);

impl KeyHasher {
    /// For the cluster whose digest tree has the key `secret`.
    pub fn new(secret: &[u8; 32]) -> Self {
        // Another key than the digest tree's own, so that neither says anything of the other.
        Self(blake3::derive_key("kvs audit 1: keys of entries", secret))
    }

    /// What stands for a record.
    pub fn hash(&self, record: &RecordId) -> KeyHash {
        KeyHash(*blake3::keyed_hash(&self.0, &record.encode()).as_bytes())
    }
}

impl fmt::Debug for KeyHasher {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHasher(..)")
    }
}
