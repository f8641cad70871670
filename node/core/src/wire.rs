//! What nodes say to each other, and the bytes of it.
//!
//! Questions have answers; a stream of [`Frame`]s carries what a node accepts from its clients. The
//! kind of a question travels beside it, as the name of a route, so that its bytes are its content
//! alone. Everything is postcard, versions compressed together where that is smaller.
//!
//! Laws, each tested: what was encoded decodes to itself; whatever bytes arrive, nothing panics and
//! no more is allocated than a bound.

mod hello;
mod parcel;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

pub use hello::{Admission, Hello, Life};
pub use parcel::{MAX_PARCEL, Parcel, Sent};

use crate::agreement::Pulse;
use crate::digest::Position;
use crate::stamp::{Stamp, UnixMillis};
use crate::sync;

/// The newest protocol that this build speaks.
pub const PROTOCOL: u16 = 1;
/// The oldest protocol that this build speaks.
pub const OLDEST_PROTOCOL: u16 = 1;

/// Bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("malformed {0}")]
pub struct WireError(pub &'static str);

/// Which question it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// Who are you, and may we talk?
    Hello,
    /// Let us compare: move your clock to mine, or say where yours is.
    Begin,
    /// A step of a comparison.
    Compare,
    /// Send me these.
    Fetch,
    /// Take these.
    Push,
    /// A comparison is complete and on disk.
    Agree,
    /// Take me in.
    Join,
    /// All that lies from this position on.
    Range,
}

/// What a node asks another.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// See [`Route::Hello`].
    Hello(Box<Hello>),
    /// See [`Route::Begin`].
    Begin(Pulse),
    /// See [`Route::Compare`].
    Compare(Run, Era, sync::Request),
    /// See [`Route::Fetch`].
    Fetch(Pulse, Run, sync::Fetch),
    /// See [`Route::Push`]; outside of a comparison any run may take it.
    Push(Pulse, Option<Run>, Parcel),
    /// See [`Route::Agree`]: the pulse's clock is the one that the comparison began with.
    Agree(Pulse, Run),
    /// See [`Route::Join`].
    Join(Box<Hello>),
    /// See [`Route::Range`].
    Range(Pulse, RangeFrom),
}

/// Names one run of a node's process: what was sent to an earlier one may be lost, and a copy of its
/// volume may run elsewhere, so every step of a comparison names the run that it began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Run([u8; 4]);

impl Run {
    /// The run that drew this boot id.
    #[must_use]
    pub const fn of(boot: u64) -> Self {
        let [first, second, third, fourth, ..] = boot.to_le_bytes();
        Self([first, second, third, fourth])
    }
}

/// Names a horizon: only nodes that have forgotten the same can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Era([u8; 4]);

impl Era {
    /// The era of this horizon. Two that follow each other are less than 49 days apart, or differ.
    #[must_use]
    pub const fn of(horizon: Stamp) -> Self {
        let [_, _, third, fourth, fifth, sixth, ..] = horizon.bits().to_le_bytes();
        Self([third, fourth, fifth, sixth])
    }
}

/// Where a range begins, and how much of the past is wanted with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeFrom {
    /// The first position.
    pub position: Position,
    /// Revisions written before this are left out.
    pub revisions_since: UnixMillis,
}

/// What the other one answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Question::Hello`].
    Hello(Box<Hello>),
    /// To [`Question::Begin`]: the clock in it is where both now stand.
    Begun(Pulse, Run),
    /// To [`Question::Compare`].
    Compared(sync::Response),
    /// To [`Question::Fetch`], and for how many of the wanted positions.
    Fetched(Pulse, Parcel, u32),
    /// To [`Question::Push`]: taken.
    Pushed(Pulse),
    /// To [`Question::Agree`].
    Agreed(Pulse),
    /// To [`Question::Join`].
    Admitted(Box<Admission>),
    /// To [`Question::Range`]; the position from which the next goes on, if there is more.
    Range(Pulse, Parcel, Option<Position>),
    /// To anything.
    Refused(Refusal),
}

/// Why a node does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum Refusal {
    /// It belongs elsewhere.
    #[error("it belongs to cluster {0}")]
    OtherCluster(Uuid),
    /// No protocol is spoken by both.
    #[error("it speaks protocols {oldest} to {newest}, this build {OLDEST_PROTOCOL} to {PROTOCOL}")]
    Protocol {
        /// The oldest it speaks.
        oldest: u16,
        /// The newest it speaks.
        newest: u16,
    },
    /// The asker may have missed deletes that nobody remembers.
    #[error("this node was away for too long: it may have missed deletes that are forgotten")]
    Fenced,
    /// The asker was told to go, or given up.
    #[error("this node is no longer a member")]
    GivenUp,
    /// It may itself have missed something.
    #[error("it has been away for too long itself")]
    Behind,
    /// It is not the run that the comparison began with: what that was sent may be lost.
    #[error("it was started again meanwhile")]
    Restarted,
    /// One of the two has meanwhile forgotten more of the dead.
    #[error("its horizon is another one")]
    Moved,
    /// It has no data yet.
    #[error("it is not ready itself")]
    NotServing,
    /// Something was stamped too far in the future.
    #[error("a stamp is {ahead_millis} ms ahead of its clock; at most {limit_millis} are accepted")]
    ClockAhead {
        /// How far.
        ahead_millis: u64,
        /// How far is accepted.
        limit_millis: u64,
    },
    /// What was sent cannot be read there.
    #[error("it cannot read what it was sent: {0}")]
    Unreadable(String),
    /// Its store failed; its log says how.
    #[error("its store failed")]
    Failed,
    /// One of the two has versions in a format that the other one does not know.
    #[error(
        "versions are written in format {format}, and one of the two understands those up to {newest}"
    )]
    Format {
        /// The format that is written.
        format: u8,
        /// The newest that is understood.
        newest: u8,
    },
}

/// Bytes of the versions of pieces that are joined.
const MOST_JOINED: usize = 32 << 10;

/// A piece of a stream of what a node accepted from its clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The sender's state.
    pub pulse: Pulse,
    /// The sender's wall clock, so that clocks that are wrong show.
    pub wall: UnixMillis,
    /// The store incarnation that positions belong to.
    pub incarnation: u64,
    /// Up to where the receiver has everything once it took this.
    pub position: u64,
    /// The last position of the sender's log.
    pub head: u64,
    /// At least so many bytes of versions lie between the two.
    pub waiting: u64,
    /// What was accepted, in commit order.
    pub versions: Parcel,
}

impl Frame {
    /// Adds the piece that follows this one in the same log, so that both are taken in one write;
    /// says whether it did. Only small pieces are joined: large ones gain nothing.
    pub fn join(&mut self, next: &Self) -> bool {
        let small = self.versions.len() + next.versions.len() <= MOST_JOINED;
        let follows = self.incarnation == next.incarnation && self.position <= next.position;
        if !small || !follows {
            return false;
        }
        let Some(versions) = self.versions.with(&next.versions) else { return false };
        *self = Self { versions, ..*next };
        true
    }
}

/// How far a node's log was followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The store incarnation that the position belongs to.
    pub incarnation: u64,
    /// The last position that was taken over.
    pub position: u64,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 8] = [
        Self::Hello,
        Self::Begin,
        Self::Compare,
        Self::Fetch,
        Self::Push,
        Self::Agree,
        Self::Join,
        Self::Range,
    ];

    /// The route's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Begin => "begin",
            Self::Compare => "compare",
            Self::Fetch => "fetch",
            Self::Push => "push",
            Self::Agree => "agree",
            Self::Join => "join",
            Self::Range => "range",
        }
    }
}

impl Question {
    /// Where it goes.
    pub const fn route(&self) -> Route {
        match self {
            Self::Hello(_) => Route::Hello,
            Self::Begin(_) => Route::Begin,
            Self::Compare(..) => Route::Compare,
            Self::Fetch(..) => Route::Fetch,
            Self::Push(..) => Route::Push,
            Self::Agree(..) => Route::Agree,
            Self::Join(_) => Route::Join,
            Self::Range(..) => Route::Range,
        }
    }

    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(hello) | Self::Join(hello) => encode(hello),
            Self::Begin(pulse) => encode(pulse),
            Self::Compare(Run(run), Era(era), request) => {
                [run.as_slice(), era, &request.encode()].concat()
            }
            Self::Fetch(pulse, run, fetch) => encode(&(pulse, run, fetch)),
            Self::Push(pulse, run, parcel) => encode(&(pulse, run, parcel)),
            Self::Agree(pulse, run) => encode(&(pulse, run)),
            Self::Range(pulse, from) => encode(&(pulse, from)),
        }
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are no question of that kind.
    pub fn decode(route: Route, bytes: &[u8]) -> Result<Self, WireError> {
        let name = route.name();
        Ok(match route {
            Route::Hello => Self::Hello(decode(name, bytes)?),
            Route::Join => Self::Join(decode(name, bytes)?),
            Route::Begin => Self::Begin(decode(name, bytes)?),
            Route::Compare => {
                let (run, rest) = bytes.split_first_chunk().ok_or(WireError(name))?;
                let (era, request) = rest.split_first_chunk().ok_or(WireError(name))?;
                let request = sync::Request::decode(request).map_err(|_why| WireError(name))?;
                Self::Compare(Run(*run), Era(*era), request)
            }
            Route::Fetch => {
                let (pulse, run, fetch): (Pulse, Run, sync::Fetch) = decode(name, bytes)?;
                fetch.check().map_err(|_why| WireError(name))?;
                Self::Fetch(pulse, run, fetch)
            }
            Route::Push => {
                let (pulse, run, parcel) = decode(name, bytes)?;
                Self::Push(pulse, run, parcel)
            }
            Route::Agree => {
                let (pulse, run) = decode(name, bytes)?;
                Self::Agree(pulse, run)
            }
            Route::Range => {
                let (pulse, from) = decode(name, bytes)?;
                Self::Range(pulse, from)
            }
        })
    }
}

impl Answer {
    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are no answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let answer = decode("answer", bytes)?;
        if let Self::Compared(response) = &answer {
            response.check().map_err(|_why| WireError("answer"))?;
        }
        Ok(answer)
    }
}

impl Frame {
    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are no frame.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        decode("frame", bytes)
    }
}

impl Cursor {
    /// The bytes that travel.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are no cursor.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        decode("cursor", bytes)
    }
}

fn encode(message: &impl Serialize) -> Vec<u8> {
    // Only a sequence of unknown length could fail; none exists here.
    postcard::to_extend(message, Vec::new()).unwrap_or_default()
}

/// Lengths within a message are not believed: what is allocated is bounded by the bytes that came.
fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, WireError> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        _ => Err(WireError(what)),
    }
}

#[cfg(test)]
mod tests;
