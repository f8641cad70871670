//! What an answer leads to.

use thiserror::Error;

use super::{Fetch, MAX_LISTED, Node, Request};
use crate::stamp::Stamp;

/// What has been seen so far, in records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Listed by this side.
    pub compared: u64,
    /// Found to differ, without those in flight.
    pub differing: u64,
    /// Left alone because they may still be on their way.
    pub in_flight: u64,
    /// Named to be sent to the peer.
    pub pushed: u64,
    /// Named to be fetched from the peer.
    pub fetched: u64,
}

/// What an answer led to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Turn {
    /// Rows of the records whose current versions the peer needs.
    pub push: Vec<Vec<u8>>,
    /// What is needed from the peer.
    pub fetch: Fetch,
    /// Nodes of the own tree that do not say what the index does: to be rebuilt from it. A write
    /// between two reads can look the same.
    pub suspects: Vec<Node>,
    /// How it goes on.
    pub next: Next,
}

impl Turn {
    pub(super) fn new(agreed: Stamp) -> Self {
        let (push, suspects) = (Vec::new(), Vec::new());
        Self { push, fetch: Fetch::default(), suspects, next: Next::Agreed(agreed) }
    }
}

/// How a conversation goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this, and give the answer to [`turn`](super::Conversation::turn).
    Ask(Request),
    /// Over: one side has so little that all records are to be streamed, in the order of positions.
    Lopsided {
        /// How many records this side has.
        mine: u32,
        /// How many records the peer has.
        theirs: u32,
    },
    /// Over: once all that was pushed and fetched is on disk, both sides hold every version stamped
    /// up to here that either had. One that was replaced since need not be held where the record was
    /// unknown; an older one is held nowhere.
    Agreed(Stamp),
}

/// Why a conversation cannot go on. It is over then; what was named before still holds.
#[derive(Debug, Error)]
pub enum TurnError<E> {
    /// The index cannot be read.
    #[error("cannot list the records of a range")]
    Read(#[source] E),
    /// The peer's tree is not whole yet.
    #[error("the peer is rebuilding its digest tree")]
    Rebuilding,
    /// Too many of the own records share a position, which hashes never make them do.
    #[error("more than {MAX_LISTED} records share a position of the index")]
    Crowded,
    /// The answer is to another question.
    #[error("the peer's answer does not fit what it was asked: {0}")]
    Unfit(&'static str),
}
