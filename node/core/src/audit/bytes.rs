//! The bytes of entries: one sequence for each entry, and one entry for each sequence.
//!
//! ```text
//! format 1 | sequence 8 | time 8 | previous 32 | event 1 + n | subject 1 + n | key 1 + n | outcome 1
//! ```
//!
//! Numbers are big-endian. What follows a tag has the length that the tag says.

use thiserror::Error;

use super::{Entry, Event, KeyHash, Outcome, Subject};
use crate::id::{NodeId, TokenId, UserId, VersionId};
use crate::scope::Right;
use crate::stamp::UnixMillis;

/// The format that this build writes, and the only one it reads.
const FORMAT: u8 = 1;

/// Bytes of an entry about a record, for the first allocation.
const TYPICAL: usize = 128;

/// Why bytes are not an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EntryError {
    /// Written by a later release.
    #[error("its format is {0}; this build reads {FORMAT}")]
    Format(u8),
    /// Fewer bytes than it says to have.
    #[error("it ends too early")]
    Short,
    /// More bytes than it says to have.
    #[error("{0} bytes follow its end")]
    Long(usize),
    /// A tag that means nothing.
    #[error("its {0} is {1}, which this build does not know")]
    Tag(&'static str, u8),
}

impl Entry {
    /// The entry's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Vec::with_capacity(TYPICAL);
        to.push(FORMAT);
        to.extend(self.sequence.to_be_bytes());
        to.extend(self.time.0.to_be_bytes());
        to.extend(self.previous);
        self.event.encode(&mut to);
        self.subject.encode(&mut to);
        match &self.key {
            None => to.push(0),
            Some(KeyHash(hash)) => tagged(&mut to, 1, hash),
        }
        to.push(self.outcome as u8);
        to
    }

    /// The entry whose bytes are the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// They are no entry's.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let mut from = Reader(bytes);
        match from.byte()? {
            FORMAT => {}
            format => return Err(EntryError::Format(format)),
        }
        let entry = Self {
            sequence: from.number()?,
            time: UnixMillis(from.number()?),
            previous: from.take()?,
            event: Event::decode(&mut from)?,
            subject: Subject::decode(&mut from)?,
            key: from.key()?,
            outcome: from.outcome()?,
        };
        if from.0.is_empty() { Ok(entry) } else { Err(EntryError::Long(from.0.len())) }
    }
}

impl Event {
    fn encode(self, to: &mut Vec<u8>) {
        match self {
            Self::Write(uuid) => tagged(to, 1, uuid.as_bytes()),
            Self::Delete(uuid) => tagged(to, 2, uuid.as_bytes()),
            Self::Metadata(uuid) => tagged(to, 3, uuid.as_bytes()),
            Self::Denial(right) => tagged(to, 4, &[right.code()]),
            Self::Admin(right) => tagged(to, 5, &[right.code()]),
            Self::TokenUse(token) => tagged(to, 6, token.as_bytes()),
            Self::AccountApplied(uuid) => tagged(to, 7, uuid.as_bytes()),
            Self::LoginFailures(count) => tagged(to, 8, &count.to_be_bytes()),
            Self::Started => to.push(9),
            Self::PeerRewrote(node) => tagged(to, 10, node.as_bytes()),
        }
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, EntryError> {
        Ok(match from.byte()? {
            1 => Self::Write(VersionId::from_bytes(from.take()?)),
            2 => Self::Delete(VersionId::from_bytes(from.take()?)),
            3 => Self::Metadata(VersionId::from_bytes(from.take()?)),
            4 => Self::Denial(from.right()?),
            5 => Self::Admin(from.right()?),
            6 => Self::TokenUse(TokenId::from_bytes(from.take()?)),
            7 => Self::AccountApplied(VersionId::from_bytes(from.take()?)),
            8 => Self::LoginFailures(u32::from_be_bytes(from.take()?)),
            9 => Self::Started,
            10 => Self::PeerRewrote(NodeId::from_bytes(from.take()?)),
            tag => return Err(EntryError::Tag("event", tag)),
        })
    }
}

impl Subject {
    fn encode(self, to: &mut Vec<u8>) {
        match self {
            Self::Anonymous => to.push(1),
            Self::User(user) => tagged(to, 2, user.as_bytes()),
            Self::Address(address) => tagged(to, 3, &address),
            Self::Peer(node) => tagged(to, 4, node.as_bytes()),
            Self::Socket => to.push(5),
            Self::Node => to.push(6),
        }
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, EntryError> {
        Ok(match from.byte()? {
            1 => Self::Anonymous,
            2 => Self::User(UserId::from_bytes(from.take()?)),
            3 => Self::Address(from.take()?),
            4 => Self::Peer(NodeId::from_bytes(from.take()?)),
            5 => Self::Socket,
            6 => Self::Node,
            tag => return Err(EntryError::Tag("subject", tag)),
        })
    }
}

fn tagged(to: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    to.push(tag);
    to.extend(bytes);
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], EntryError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(EntryError::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, EntryError> {
        self.take().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, EntryError> {
        self.take().map(u64::from_be_bytes)
    }

    fn right(&mut self) -> Result<Right, EntryError> {
        let code = self.byte()?;
        Right::from_code(code).ok_or(EntryError::Tag("right", code))
    }

    fn key(&mut self) -> Result<Option<KeyHash>, EntryError> {
        match self.byte()? {
            0 => Ok(None),
            1 => self.take().map(|hash| Some(KeyHash(hash))),
            tag => Err(EntryError::Tag("key", tag)),
        }
    }

    fn outcome(&mut self) -> Result<Outcome, EntryError> {
        match self.byte()? {
            1 => Ok(Outcome::Done),
            2 => Ok(Outcome::Refused),
            3 => Ok(Outcome::Failed),
            tag => Err(EntryError::Tag("outcome", tag)),
        }
    }
}
