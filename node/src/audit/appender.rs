//! Adds entries to the batch of what they are about.

use kvs_core::UnixMillis;
use kvs_core::audit::{Entry, Event, Frontier, Hash, KeyHash, Outcome, Subject, row};

use super::layout::{self, Edge, TILE_LEVEL};
use crate::store::{Batch, Column, Read, StoreError};

/// The end of the log. The writer has it, and puts a changed one in the place of the old once the
/// batch is written.
#[derive(Clone, Debug, Default)]
pub struct Appender {
    edge: Edge,
}

/// What an entry says, without its place in the log.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    /// What happened.
    pub event: Event,
    /// Who did it.
    pub subject: Subject,
    /// To what.
    pub key: Option<KeyHash>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Appender {
    /// Goes on where the log of a store ends.
    ///
    /// # Errors
    ///
    /// That cannot be read.
    pub fn open(store: &dyn Read) -> Result<Self, StoreError> {
        Ok(Self { edge: Edge::read(store, layout::END)? })
    }

    /// How many entries there are.
    pub const fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Adds an entry.
    pub fn append(&mut self, batch: &mut Batch, time: UnixMillis, said: Said) {
        let Said { event, subject, key, outcome } = said;
        let (sequence, previous) = (self.size(), self.edge.previous);
        let entry = Entry { sequence, time, previous, event, subject, key, outcome };
        let row = row(&entry.encode());
        batch.put(Column::Audit, &layout::entry(sequence), &row);
        self.edge.previous = leaf_of(&row);
        for node in self.edge.frontier.append(self.edge.previous) {
            if node.level >= TILE_LEVEL {
                batch.put(Column::Audit, &layout::node(node.level, node.index), &node.hash);
            }
        }
    }

    /// Adds the row that says where the log now ends.
    pub fn finish(&self, batch: &mut Batch) {
        batch.put(Column::Local, layout::END, &self.edge.to_bytes());
    }
}

/// The leaf hash that a row begins with; zeros if it is too short for one.
pub(super) fn leaf_of(row: &[u8]) -> Hash {
    row.first_chunk().copied().unwrap_or_default()
}

/// The root over these leaves.
pub(super) fn root_of(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.append(leaf);
    }
    frontier.root()
}
