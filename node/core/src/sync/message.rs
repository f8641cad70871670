//! What the two sides say to each other, and the bytes of it.
//!
//! Postcard: integers are variable-length unless said otherwise, hashes and stamps are arrays of
//! bytes, since a hash as a variable-length integer would be longer.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::node::{Node, Span};
use super::page::{Missing, Names};
use super::{MAX_BYTES, MAX_COMPARED, MAX_LISTED, MAX_LISTS, MAX_SEARCHED};
use crate::digest::{FANOUT, Position, Summary};
use crate::stamp::Stamp;

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// Too many bytes.
    #[error("the message has {0} bytes; at most {MAX_BYTES} are allowed")]
    Bytes(usize),
    /// Cut short, too long or of no known kind.
    #[error("the message is malformed")]
    Malformed,
    /// More of something than one message may name.
    #[error("the message names {found} {what}; at most {limit} are allowed")]
    Count {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much is allowed.
        limit: usize,
    },
    /// A part of the tree that no tree has.
    #[error("the message names a place that no tree has")]
    Place,
}

/// What the side that drives the conversation asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Are we equal?
    Root(Root),
    /// Where do we differ?
    Explore(Explore),
}

/// What the other side answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// To [`Request::Root`]: how I am.
    Root(Root),
    /// To [`Request::Explore`]: here.
    Explored(Explored),
    /// To anything: my tree is not whole yet, ask later.
    Rebuilding,
}

/// A tree's root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    pub(super) depth: u8,
    sum: [[u8; 8]; 2],
    count: u32,
}

impl Root {
    pub(super) fn new(depth: u32, summary: Summary) -> Self {
        let depth = u8::try_from(depth).unwrap_or(u8::MAX);
        Self { depth, sum: summary.sum.map(u64::to_be_bytes), count: summary.count }
    }

    /// Sum and count of all records.
    pub fn summary(&self) -> Summary {
        Summary { sum: self.sum.map(u64::from_be_bytes), count: self.count }
    }
}

/// Tree nodes whose children are to be compared, and ranges that are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explore {
    pub(super) compare: Vec<Compare>,
    pub(super) lists: Vec<List>,
}

/// A tree node and its children's digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Compare {
    pub(super) node: Node,
    pub(super) children: [Digest; FANOUT],
}

/// All that the asking side has in a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct List {
    pub(super) span: Span,
    pub(super) names: Names,
}

/// Both sums and the count in 8 bytes: two tree nodes that differ have different ones, but for a
/// chance of one in 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest([u8; 8]);

impl Digest {
    pub(super) fn of(summary: Summary) -> Self {
        // Odd multipliers (of SplitMix64) keep each part's bits apart from the others'.
        let second = summary.sum[1].wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let count = u64::from(summary.count).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self((summary.sum[0] ^ second.rotate_left(32) ^ count).to_be_bytes())
    }
}

/// Answers, each in the order of what was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explored {
    /// Which children differ: the first in the lowest bit.
    pub(super) differing: Vec<u16>,
    pub(super) lists: Vec<Comparison>,
}

/// What is different in a listed range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Comparison {
    /// The first position that was not looked at; nothing if all were.
    pub(super) cut: Option<u64>,
    pub(super) missing: Missing,
    pub(super) extra: Vec<Extra>,
    /// Of what is left on this side without `extra`. The other side has the same left without what
    /// is `missing`, unless short names took two items for one.
    pub(super) common: Digest,
}

impl Comparison {
    /// Whether all was looked at and nothing differs.
    pub(super) fn is_empty(&self) -> bool {
        self.cut.is_none() && self.missing.is_empty() && self.extra.is_empty()
    }

    /// Whether the `at`-th of the listed records, at this position, was looked for and not found.
    pub(super) fn lacks(&self, at: usize, position: Position) -> bool {
        self.reaches(position) && self.missing.has(at)
    }

    /// Whether the `at`-th of the listed records, at this position, was looked for and found.
    pub(super) fn has(&self, at: usize, position: Position) -> bool {
        self.reaches(position) && !self.missing.has(at)
    }

    fn reaches(&self, position: Position) -> bool {
        self.cut.is_none_or(|cut| position.0 < cut)
    }
}

/// A record that was not among those listed, at any stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extra {
    position: [u8; 8],
    stamp: [u8; 8],
}

impl Extra {
    pub(super) fn new(position: Position, stamp: Stamp) -> Self {
        Self { position: position.0.to_be_bytes(), stamp: stamp.bits().to_be_bytes() }
    }

    pub(super) fn position(self) -> Position {
        Position(u64::from_be_bytes(self.position))
    }

    pub(super) fn stamp(self) -> Stamp {
        Stamp::from_bits(u64::from_be_bytes(self.stamp))
    }
}

/// Records that the other side is to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    positions: Vec<[u8; 8]>,
}

impl Fetch {
    pub(super) fn push(&mut self, position: Position) {
        self.positions.push(position.0.to_be_bytes());
    }

    /// Where the records lie.
    pub fn positions(&self) -> impl ExactSizeIterator<Item = Position> + '_ {
        self.positions.iter().map(|bytes| Position(u64::from_be_bytes(*bytes)))
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let fetch: Self = decode(bytes)?;
        at_most("records", fetch.positions.len(), MAX_SEARCHED)?;
        Ok(fetch)
    }
}

impl Request {
    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let request = decode(bytes)?;
        match &request {
            Self::Root(_) => {}
            Self::Explore(explore) => explore.check()?,
        }
        Ok(request)
    }
}

impl Response {
    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let response = decode(bytes)?;
        match &response {
            Self::Root(_) | Self::Rebuilding => {}
            Self::Explored(explored) => explored.check()?,
        }
        Ok(response)
    }
}

impl Explore {
    fn check(&self) -> Result<(), MessageError> {
        at_most("tree nodes", self.compare.len(), MAX_COMPARED)?;
        at_most("ranges", self.lists.len(), MAX_LISTS)?;
        at_most("records", self.lists.iter().map(|list| list.names.len()).sum(), MAX_LISTED)?;
        let nodes = self.compare.iter().all(|compare| compare.node.exists());
        let spans = self.lists.iter().all(|list| list.span.exists());
        if nodes && spans { Ok(()) } else { Err(MessageError::Place) }
    }
}

impl Explored {
    fn check(&self) -> Result<(), MessageError> {
        at_most("tree nodes", self.differing.len(), MAX_COMPARED)?;
        at_most("ranges", self.lists.len(), MAX_LISTS)?;
        at_most("records", self.lists.iter().map(|list| list.extra.len()).sum(), MAX_SEARCHED)
    }
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), MessageError> {
    if found <= limit { Ok(()) } else { Err(MessageError::Count { what, found, limit }) }
}

fn encode(message: &impl Serialize) -> Vec<u8> {
    // Only a value of unknown length or a full buffer could fail; neither exists here.
    postcard::to_extend(message, Vec::new()).unwrap_or_default()
}

/// Lengths within a message are not believed: what is allocated is bounded by the bytes that came.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MessageError> {
    if bytes.len() > MAX_BYTES {
        return Err(MessageError::Bytes(bytes.len()));
    }
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        _ => Err(MessageError::Malformed),
    }
}

#[cfg(test)]
mod tests;
