//! Tree nodes and the ranges of positions below them.

use serde::{Deserialize, Serialize};

use super::{Listed, Replica};
use crate::digest::{FANOUT, Position, Summary};

/// Below this level a tree node would be a single position.
const MAX_LEVEL: u32 = 15;

/// A node of the digest tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    level: u8,
    index: u64,
}

impl Node {
    pub(super) const ROOT: Self = Self { level: 0, index: 0 };

    /// How far below the root it lies.
    pub fn level(self) -> u32 {
        self.level.into()
    }

    /// Which one of its level it is, from 0.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// The half-open range of positions below it; the end is nothing where it is beyond the last.
    pub fn range(self) -> (Position, Option<Position>) {
        let start = |index: u64| index.checked_shl(64 - 4 * self.level()).map(Position);
        let end = Some(self.index + 1).filter(|next| self.has(*next)).and_then(start);
        (start(self.index).unwrap_or(Position(0)), end)
    }

    /// Whether such a node can exist in a tree of any depth.
    pub(super) fn exists(self) -> bool {
        self.level() <= MAX_LEVEL && self.has(self.index)
    }

    fn has(self, index: u64) -> bool {
        index >> (4 * self.level()) == 0
    }

    pub(super) fn children(self) -> impl DoubleEndedIterator<Item = Self> {
        let first = self.index * FANOUT as u64;
        (first..first + FANOUT as u64).map(move |index| Self { level: self.level + 1, index })
    }

    pub(super) fn summary(self, replica: &impl Replica) -> Summary {
        replica.summary(self.level(), self.index)
    }
}

/// What is listed: all below a tree node, or a part of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Span {
    Node(Node),
    Part { start: u64, end: Option<u64> },
}

impl Span {
    pub(super) fn range(self) -> (Position, Option<Position>) {
        match self {
            Self::Node(node) => node.range(),
            Self::Part { start, end } => (Position(start), end.map(Position)),
        }
    }

    pub(super) fn exists(self) -> bool {
        match self {
            Self::Node(node) => node.exists(),
            Self::Part { start, end } => end.is_none_or(|end| start < end),
        }
    }

    pub(super) fn holds(self, position: Position) -> bool {
        let (start, end) = self.range();
        start <= position && end.is_none_or(|end| position < end)
    }

    /// The part before `cut`.
    pub(super) fn before(self, cut: Position) -> Self {
        Self::Part { start: self.range().0.0, end: Some(cut.0) }
    }

    /// The part from `cut` on.
    pub(super) fn after(self, cut: Position) -> Self {
        let (start, end) = self.range();
        if start == cut { self } else { Self::Part { start: cut.0, end: end.map(|end| end.0) } }
    }
}

/// The tree node that `span` is, unless the tree says of it what the index does, which is `listed`.
/// Only whole tree nodes can be checked.
pub(super) fn suspect(span: Span, listed: Summary, replica: &impl Replica) -> Option<Node> {
    let Span::Node(node) = span else { return None };
    (node.summary(replica) != listed).then_some(node)
}

/// What is left of `all` without these rows.
pub(super) fn without(all: Summary, entries: &[Listed]) -> Summary {
    let less = sum(entries);
    Summary {
        sum: [0, 1].map(|lane| all.sum[lane].wrapping_sub(less.sum[lane])),
        count: all.count.wrapping_sub(less.count),
    }
}

/// What these rows add to a tree.
pub(super) fn sum<'a>(entries: impl IntoIterator<Item = &'a Listed>) -> Summary {
    let add = |sum: Summary, entry: &Listed| Summary {
        sum: [0, 1].map(|lane| sum.sum[lane].wrapping_add(entry.item.0[lane])),
        count: sum.count.wrapping_add(1),
    };
    entries.into_iter().fold(Summary::default(), add)
}
