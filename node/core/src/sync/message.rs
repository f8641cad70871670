//! What the two sides say to each other, and the bytes of it.
//!
//! Postcard: integers are variable-length unless said otherwise, hashes and stamps are arrays of
//! bytes, since a hash as a variable-length integer would be longer.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{MAX_BYTES, MAX_SEARCHED};
use crate::digest::Position;

mod part;

use self::part::at_most;
pub(super) use self::part::{Compare, Comparison, Digest, Extra, List};
pub use self::part::{Explore, Explored, Root};

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
        fetch.check()?;
        Ok(fetch)
    }

    /// Whether it asks for no more than is allowed, which holds for whatever [`Self::decode`] gave.
    ///
    /// # Errors
    ///
    /// It asks for more.
    pub fn check(&self) -> Result<(), MessageError> {
        at_most("records", self.positions.len(), MAX_SEARCHED)
    }

    /// What is still wanted once the first `count` came.
    #[must_use]
    pub fn without_first(mut self, count: usize) -> Self {
        self.positions.drain(..count.min(self.positions.len()));
        self
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
        let response: Self = decode(bytes)?;
        response.check()?;
        Ok(response)
    }

    /// Whether it names no more than is allowed, which holds for whatever [`Self::decode`] gave.
    ///
    /// # Errors
    ///
    /// It names more.
    pub fn check(&self) -> Result<(), MessageError> {
        match self {
            Self::Root(_) | Self::Rebuilding => Ok(()),
            Self::Explored(explored) => explored.check(),
        }
    }
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
