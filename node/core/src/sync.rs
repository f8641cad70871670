//! The conversation in which two nodes find exactly the records in which they differ, in bytes
//! proportional to the differences.
//!
//! Messages in, messages out: [`Conversation`] is the side that asks, [`respond`] the other, which
//! remembers nothing. Whoever drives them carries the messages and the versions.
//!
//! 1. The roots are compared. Equal ones end the conversation; where one side has less than half of
//!    the other's records, streaming all of them is cheaper ([`Next::Lopsided`]).
//! 2. For a tree node that differs the digests of its children are sent, and the answer says which
//!    of them differ. The shallower of the two trees ends the descent.
//! 3. Under [`LIST_UNDER`] records, the first 3 bytes of each item are sent instead. The answer says
//!    which of them are missing there, position and stamp of what is missing here, and the digest of
//!    what should be on both sides: if it is not, all bytes of the items are sent.
//! 4. What remains on one side only travels; of two versions of a record, the later one. Of equal
//!    stamps both travel, since the index does not say which of them wins. Every receiver merges.
//!
//! A version stamped less than [`IN_FLIGHT`] before the conversation began is on its way by other
//! means and left alone, unless the other side has an older one of that record.
//!
//! Laws, each a property test: both sides end with the winner of every record; whatever is written
//! in between, no side is left with a version older than one that was agreed upon; no version is sent
//! twice, and none that loses except to an equal stamp; equal sets end after one message; whatever
//! bytes arrive, nothing panics.

use std::time::Duration;

use crate::digest::{Entry, Item, Position, Summary};

mod conversation;
mod difference;
mod message;
mod node;
mod page;
mod respond;
mod turn;
mod work;

pub use conversation::Conversation;
pub use message::{Explore, Explored, Fetch, MessageError, Request, Response, Root};
pub use node::Node;
pub use respond::{Answer, RespondError, records_at, resolve, respond};
pub use turn::{Counts, Next, Turn, TurnError};

/// How long before the conversation's clock a version may have been written and still be on its way.
pub const IN_FLIGHT: Duration = Duration::from_secs(2);
/// A tree node with fewer records is listed: 3 bytes each are then less than the 128 of a further
/// step.
pub const LIST_UNDER: u32 = 32;
/// The fewest records on the greater side for which a stream is proposed: fewer are listed in one
/// message.
pub const LOPSIDED_FROM: u32 = 4_096;
/// The most bytes a message has.
pub const MAX_BYTES: usize = 256 * 1024;
/// The most tree nodes whose children's digests are in one message: 4,096 digests.
pub const MAX_COMPARED: usize = 256;
/// The most ranges that are listed in one message.
pub const MAX_LISTS: usize = 1_024;
/// The most records that are listed in one message, and so the most that a turn has to push.
pub const MAX_LISTED: usize = 4_096;
/// The most records that an answer is searched in, and so the most that a turn has to fetch.
pub const MAX_SEARCHED: usize = 2 * MAX_LISTED;

/// What the conversation reads of a node: its digest tree and the index behind it, both as they are
/// at the moment. Writes may happen between two reads; a tree and an index of different moments would
/// make nodes suspect.
pub trait Replica {
    /// Why the index cannot be read.
    type Error: std::error::Error + 'static;

    /// How many levels lie below the tree's root.
    fn depth(&self) -> u32;

    /// Sum and count of the `index`-th tree node of `level`, which is at most [`Self::depth`].
    fn summary(&self, level: u32, index: u64) -> Summary;

    /// The first `limit` records at or after `start` and before `end`, in the order of positions.
    ///
    /// # Errors
    ///
    /// The index cannot be read.
    fn list(
        &self,
        start: Position,
        end: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Listed>, Self::Error>;
}

/// A row of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where the record lies.
    pub position: Position,
    /// The record, as on disk.
    pub record: Vec<u8>,
    /// Which version of it is current.
    pub entry: Entry,
    /// What that version adds to the tree.
    pub item: Item,
}

#[cfg(test)]
mod tests;
