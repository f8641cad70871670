//! The formats of versions: which of them a build knows, and which one a cluster writes.
//!
//! A build reads and writes the last two. All nodes of a cluster write the same one, which a person
//! raises (`kvs cluster upgrade`) once every member knows the next: until then any of them can go
//! back to the release before. A record of its own says that it was raised, replicated like any other.

use serde::{Deserialize, Serialize};

use crate::key::{Key, KeyError, RecordId};

/// The key of the record that says to which format the cluster was raised.
pub const KEY: &str = "_system/cluster/format";

/// A format of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// The first one.
    One,
    /// Ends in a checksum, from where the version was accepted to where it is read.
    Two,
}

/// The value of the record.
#[derive(Serialize, Deserialize)]
struct Raised {
    format: u8,
}

impl Format {
    /// All that this build knows, oldest first.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];
    /// The newest that this build knows.
    pub const NEWEST: Self = Self::Two;

    /// Its number, the first byte of every version written in it.
    pub const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The format of that number, if this build knows it.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.number() == number)
    }

    /// The one after it, if this build knows one.
    pub fn next(self) -> Option<Self> {
        Self::of(self.number() + 1)
    }

    /// The record that says to which format the cluster was raised.
    ///
    /// # Errors
    ///
    /// Never; the type of the key's constructor says so.
    pub fn record() -> Result<RecordId, KeyError> {
        Key::system(KEY).map(RecordId::value)
    }

    /// The value of the record.
    pub fn to_json(self) -> Vec<u8> {
        // A struct of one number always serializes.
        serde_json::to_vec(&Raised { format: self.number() }).unwrap_or_default()
    }

    /// The format that the record's value names; nothing if this build does not know it.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let raised: Raised = serde_json::from_slice(json).ok()?;
        Self::of(raised.format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_follow_each_other_without_a_gap_up_to_the_newest() {
        for pair in Format::ALL.windows(2) {
            assert_eq!(pair[0].next(), Some(pair[1]));
        }
        assert_eq!(Format::NEWEST.next(), None);
        assert_eq!((Format::of(0), Format::of(3)), (None, None));
    }

    #[test]
    fn the_record_says_what_was_written_into_it() {
        for format in Format::ALL {
            assert_eq!(Format::parse(&format.to_json()), Some(format));
        }
        assert_eq!(Format::parse(br#"{"format":9}"#), None);
        assert_eq!(Format::parse(b"2"), None);
        assert!(Format::record().is_ok_and(|record| record.key.as_str() == KEY));
    }
}
