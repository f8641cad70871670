//! What messages are made of.

use serde::{Deserialize, Serialize};

use super::MessageError;
use crate::digest::{FANOUT, Position, Summary};
use crate::stamp::Stamp;
use crate::sync::node::{Node, Span};
use crate::sync::page::{Missing, Names};
use crate::sync::{MAX_COMPARED, MAX_LISTED, MAX_LISTS, MAX_SEARCHED};

/// A tree's root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    pub(in crate::sync) depth: u8,
    sum: [[u8; 8]; 2],
    count: u32,
}

impl Root {
    pub(in crate::sync) fn new(depth: u32, summary: Summary) -> Self {
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
    pub(in crate::sync) compare: Vec<Compare>,
    pub(in crate::sync) lists: Vec<List>,
}

impl Explore {
    pub(in crate::sync) fn check(&self) -> Result<(), MessageError> {
        at_most("tree nodes", self.compare.len(), MAX_COMPARED)?;
        at_most("ranges", self.lists.len(), MAX_LISTS)?;
        at_most("records", self.lists.iter().map(|list| list.names.len()).sum(), MAX_LISTED)?;
        let nodes = self.compare.iter().all(|compare| compare.node.exists());
        let spans = self.lists.iter().all(|list| list.span.exists());
        if nodes && spans { Ok(()) } else { Err(MessageError::Place) }
    }
}

/// A tree node and its children's digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct Compare {
    pub(in crate::sync) node: Node,
    pub(in crate::sync) children: [Digest; FANOUT],
}

/// All that the asking side has in a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct List {
    pub(in crate::sync) span: Span,
    pub(in crate::sync) names: Names,
}

/// Both sums and the count in 8 bytes: two tree nodes that differ have different ones, but for a
/// chance of one in 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct Digest([u8; 8]);

impl Digest {
    pub(in crate::sync) fn of(summary: Summary) -> Self {
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
    pub(in crate::sync) differing: Vec<u16>,
    pub(in crate::sync) lists: Vec<Comparison>,
}

impl Explored {
    pub(in crate::sync) fn check(&self) -> Result<(), MessageError> {
        at_most("tree nodes", self.differing.len(), MAX_COMPARED)?;
        at_most("ranges", self.lists.len(), MAX_LISTS)?;
        at_most("records", self.lists.iter().map(|list| list.extra.len()).sum(), MAX_SEARCHED)
    }
}

/// What is different in a listed range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct Comparison {
    /// The first position that was not looked at; nothing if all were.
    pub(in crate::sync) cut: Option<u64>,
    pub(in crate::sync) missing: Missing,
    pub(in crate::sync) extra: Vec<Extra>,
    /// Of what is left on this side without `extra`. The other side has the same left without what
    /// is `missing`, unless short names took two items for one.
    pub(in crate::sync) common: Digest,
}

impl Comparison {
    /// Whether all was looked at and nothing differs.
    pub(in crate::sync) fn is_empty(&self) -> bool {
        self.cut.is_none() && self.missing.is_empty() && self.extra.is_empty()
    }

    /// Whether the `at`-th of the listed records, at this position, was looked for and not found.
    pub(in crate::sync) fn lacks(&self, at: usize, position: Position) -> bool {
        self.reaches(position) && self.missing.has(at)
    }

    /// Whether the `at`-th of the listed records, at this position, was looked for and found.
    pub(in crate::sync) fn has(&self, at: usize, position: Position) -> bool {
        self.reaches(position) && !self.missing.has(at)
    }

    fn reaches(&self, position: Position) -> bool {
        self.cut.is_none_or(|cut| position.0 < cut)
    }
}

/// A record that was not among those listed, at any stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sync) struct Extra {
    position: [u8; 8],
    stamp: [u8; 8],
}

impl Extra {
    pub(in crate::sync) fn new(position: Position, stamp: Stamp) -> Self {
        Self { position: position.0.to_be_bytes(), stamp: stamp.bits().to_be_bytes() }
    }

    pub(in crate::sync) fn position(self) -> Position {
        Position(u64::from_be_bytes(self.position))
    }

    pub(in crate::sync) fn stamp(self) -> Stamp {
        Stamp::from_bits(u64::from_be_bytes(self.stamp))
    }
}

pub(in crate::sync) fn at_most(
    what: &'static str,
    found: usize,
    limit: usize,
) -> Result<(), MessageError> {
    if found <= limit { Ok(()) } else { Err(MessageError::Count { what, found, limit }) }
}
