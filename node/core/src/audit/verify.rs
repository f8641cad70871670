//! Walks a log and names the first row that is not as it was written.

use thiserror::Error;

use super::tree::{Frontier, Hash, leaf_hash};
use super::{Entry, EntryError, Head};

/// Length of the leaf hash that a row begins with.
const HASH: usize = 32;

/// A row of the log as it is stored: the leaf hash, which is also level 0 of the tree, then the
/// entry's bytes.
pub fn row(entry: &[u8]) -> Vec<u8> {
    let mut row = leaf_hash(entry).to_vec();
    row.extend(entry);
    row
}

/// What is wrong with a log. Everything before what is named is as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Tampered {
    /// A row is not there, and later ones are.
    #[error("entry {0} is missing")]
    Missing(u64),
    /// A row is not what its hash says.
    #[error("entry {0} was altered")]
    Altered(u64),
    /// A row has its hash and is no entry.
    #[error("entry {sequence} cannot be read: {why}")]
    Unreadable {
        /// Which.
        sequence: u64,
        /// Why.
        why: EntryError,
    },
    /// Another entry stands there.
    #[error("in the place of entry {sequence} stands entry {found}")]
    Misplaced {
        /// Which place.
        sequence: u64,
        /// Which entry is there.
        found: u64,
    },
    /// An entry does not follow the one before it: one of the two was replaced.
    #[error("entry {0} does not follow the one before it: one of the two was replaced")]
    Unchained(u64),
    /// All entries are well formed and follow each other, and are not those that the node signed.
    #[error("among the entries from {from} up to {size} some are not those that the node signed")]
    Unsigned {
        /// The first that may be another.
        from: u64,
        /// The size of the head that does not fit.
        size: u64,
    },
    /// The end is missing.
    #[error("the log ends before entry {size}, and the node signed one of {signed} entries")]
    Truncated {
        /// The first entry that is missing.
        size: u64,
        /// How many there were.
        signed: u64,
    },
}

impl Tampered {
    /// The first entry that may not be as it was written.
    pub const fn first(&self) -> u64 {
        match self {
            Self::Missing(sequence)
            | Self::Altered(sequence)
            | Self::Unreadable { sequence, .. }
            | Self::Misplaced { sequence, .. } => *sequence,
            Self::Unchained(sequence) => sequence.saturating_sub(1),
            Self::Unsigned { from, .. } => *from,
            Self::Truncated { size, .. } => *size,
        }
    }
}

/// What was found of a log that is as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many entries the log has, those before where the walk began included.
    pub size: u64,
    /// How many of them a head covers. Those after may have been replaced unseen.
    pub signed: u64,
    /// The root over all of them.
    pub root: Hash,
}

/// A walk along a log.
#[derive(Clone, Debug)]
pub struct Verifier {
    frontier: Frontier,
    previous: Hash,
    /// Heads that are still to come, the next one last.
    heads: Vec<(u64, Hash)>,
    signed: u64,
}

impl Verifier {
    /// A walk from the first entry on, to be held against `heads`: the node's own and what peers
    /// kept of it. That their signatures fit is known.
    pub fn new<'a>(heads: impl IntoIterator<Item = &'a Head>) -> Self {
        Self::resume(Frontier::default(), [0; HASH], heads)
    }

    /// A walk from where an earlier part of the log, which was archived, ended: its edge and the
    /// leaf hash of its last entry.
    pub fn resume<'a>(
        frontier: Frontier,
        previous: Hash,
        heads: impl IntoIterator<Item = &'a Head>,
    ) -> Self {
        let start = frontier.size();
        let later = heads.into_iter().filter(|head| head.size >= start);
        let mut heads: Vec<_> = later.map(|head| (head.size, head.root)).collect();
        heads.sort_unstable();
        heads.reverse();
        Self { frontier, previous, heads, signed: start }
    }

    /// Looks at the next row: `sequence` is the one that it is stored under.
    ///
    /// # Errors
    ///
    /// What is wrong with it. The walk is over then.
    pub fn push(&mut self, sequence: u64, row: &[u8]) -> Result<Entry, Tampered> {
        self.meet_heads()?;
        let expected = self.frontier.size();
        if sequence != expected {
            return Err(Tampered::Missing(expected));
        }
        let (hash, bytes) = row.split_first_chunk().ok_or(Tampered::Altered(sequence))?;
        if leaf_hash(bytes) != *hash {
            return Err(Tampered::Altered(sequence));
        }
        let entry = Entry::decode(bytes).map_err(|why| Tampered::Unreadable { sequence, why })?;
        if entry.sequence != sequence {
            return Err(Tampered::Misplaced { sequence, found: entry.sequence });
        }
        if entry.previous != self.previous {
            return Err(Tampered::Unchained(sequence));
        }
        self.frontier.append(*hash);
        self.previous = *hash;
        self.meet_heads()?;
        Ok(entry)
    }

    /// Ends the walk.
    ///
    /// # Errors
    ///
    /// A head says that there were more entries.
    pub fn finish(mut self) -> Result<Summary, Tampered> {
        self.meet_heads()?;
        let size = self.frontier.size();
        match self.heads.first() {
            Some((signed, _)) => Err(Tampered::Truncated { size, signed: *signed }),
            None => Ok(Summary { size, signed: self.signed, root: self.frontier.root() }),
        }
    }

    /// Compares all heads of the present size.
    fn meet_heads(&mut self) -> Result<(), Tampered> {
        let (size, from) = (self.frontier.size(), self.signed);
        while let Some((_, root)) = self.heads.pop_if(|(at, _)| *at == size) {
            if root != self.frontier.root() {
                // That another head of this size fits says nothing: one who has the key made it.
                return Err(Tampered::Unsigned { from, size });
            }
            self.signed = size;
        }
        Ok(())
    }
}
