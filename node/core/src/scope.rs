//! Scopes: what a token, a user or a group may ask for.
//!
//! ```text
//! read            write:home/room            admin:users:create
//! admin:users:*   admin:resources:read:home  admin:*              *
//! ```
//!
//! A right by its name; or `*` as the whole last part, for every right that begins so; or a right
//! on keys followed by a prefix of whole segments: `read:home/room` is about `home/room` and what is
//! below it, not about `home/roommate`. The prefix is written as the key is, not percent-encoded.
//!
//! The rights form a tree and the prefixes another, so of two scopes that have anything in common,
//! what they have in common is a scope.

mod right;
mod set;

#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use self::right::Right;
pub use self::set::{MAX_SCOPES, ScopeSet};
use crate::key::{Key, KeyError};

/// What a scope may be, for errors.
const ALLOWED: &str = "allowed are read, write, delete, \
     admin:users:{create,read,update,delete}, admin:groups:{create,read,update,delete}, \
     admin:tokens:{create,read,revoke}, admin:resources:{read,update}, \
     admin:cluster:{read,update}, admin:backups:{create,read,delete,download}, admin:audit:read, \
     and `*` for a whole last part (admin:users:*, admin:*, *)";

/// What can be followed by `:*`.
const AREAS: [&str; 8] = [
    "admin:audit",
    "admin:backups",
    "admin:cluster",
    "admin:groups",
    "admin:resources",
    "admin:tokens",
    "admin:users",
    "admin",
];

/// One scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    grant: Grant,
    /// Only on this key and what is below it, as a key's text. Only of a limitable right.
    within: Option<Box<str>>,
}

/// A node in the tree of rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Grant {
    /// `*`.
    Everything,
    /// Every right whose name begins with this and a colon: one of [`AREAS`].
    Area(&'static str),
    /// One right.
    One(Right),
}

/// Why a text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScopeError {
    /// No such right.
    #[error("scope {0:?} is unknown; {ALLOWED}")]
    Unknown(String),
    /// `read:home/*`, `admin:user*`, `*:read`.
    #[error(
        "scope {0:?} has a '*' that is not its whole last part; write admin:users:*, admin:* or * \
         for all rights, and leave the prefix out for all keys"
    )]
    Wildcard(String),
    /// `admin:users:read:home`.
    #[error(
        "scope {0:?} limits a right that is not about keys; only read, write, delete, \
         admin:resources:read and admin:resources:update take a prefix"
    )]
    NotLimitable(String),
    /// What follows the right is not a key.
    #[error("scope {scope:?} has a bad prefix; it is whole segments, as in read:home/room")]
    Prefix {
        /// The scope.
        scope: String,
        /// What is wrong with the prefix.
        source: KeyError,
    },
    /// More than [`MAX_SCOPES`].
    #[error("there are more than {MAX_SCOPES} scopes; at most {MAX_SCOPES} are allowed")]
    TooMany,
}

impl Scope {
    /// `*`.
    pub const fn everything() -> Self {
        Self { grant: Grant::Everything, within: None }
    }

    /// One right, without limits.
    pub const fn of(right: Right) -> Self {
        Self { grant: Grant::One(right), within: None }
    }

    /// Whether `right` is permitted without limits.
    pub fn permits(&self, right: Right) -> bool {
        self.within.is_none() && self.permits_somewhere(right)
    }

    /// Whether `right` is permitted on `key`.
    pub fn permits_on(&self, right: Right, key: &Key) -> bool {
        self.permits_somewhere(right)
            && self.within.as_deref().is_none_or(|above| is_within(key.as_str(), above))
    }

    /// Whether `right` is permitted at all, perhaps only on some keys.
    pub fn permits_somewhere(&self, right: Right) -> bool {
        self.grant.covers(Grant::One(right))
    }

    /// Whether more is permitted than to read, write and delete what modes leave to the holder.
    pub const fn administers(&self) -> bool {
        !matches!(self.grant, Grant::One(Right::Read | Right::Write | Right::Delete))
    }

    /// The prefix that the scope is limited to, if it is.
    pub fn within(&self) -> Option<&str> {
        self.within.as_deref()
    }

    /// Whether this scope permits all that `other` does, now and in later releases. An order:
    /// reflexive, transitive, and two scopes that cover each other are equal.
    pub fn covers(&self, other: &Self) -> bool {
        self.grant.covers(other.grant) && above(self.within.as_deref(), other.within.as_deref())
    }

    /// What both permit: nothing, or again a scope.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Option<Self> {
        let grant = lower(self.grant, other.grant, Grant::covers)?;
        let within = lower(self.within.as_deref(), other.within.as_deref(), above)?;
        Some(Self { grant, within: within.map(Into::into) })
    }
}

impl Grant {
    fn covers(self, other: Self) -> bool {
        match self {
            Self::Everything => true,
            Self::Area(area) => begins(other.name(), area),
            Self::One(_) => self == other,
        }
    }

    /// The name without the `:*`.
    fn name(self) -> &'static str {
        match self {
            Self::Everything => "",
            Self::Area(area) => area,
            Self::One(right) => right.name(),
        }
    }
}

/// The lower of two nodes of a tree, if they are on one branch.
fn lower<T: Copy>(a: T, b: T, above: impl Fn(T, T) -> bool) -> Option<T> {
    if above(a, b) { Some(b) } else { above(b, a).then_some(a) }
}

/// Whether all keys within `lower` are within `upper`.
fn above(upper: Option<&str>, lower: Option<&str>) -> bool {
    match (upper, lower) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(upper), Some(lower)) => is_within(lower, upper),
    }
}

/// Whether `path` is `above` or below it, by whole segments.
fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `name` is `area` or begins with it and a colon.
fn begins(name: &str, area: &str) -> bool {
    name.strip_prefix(area).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::everything());
        }
        if let Some(area) = AREAS.iter().find(|area| text.strip_suffix(":*") == Some(**area)) {
            return Ok(Self { grant: Grant::Area(area), within: None });
        }
        if let Some(right) = Right::named(text) {
            return Ok(Self::of(right));
        }
        limited(text)
    }
}

/// A right and a prefix.
fn limited(text: &str) -> Result<Scope, ScopeError> {
    if text.contains('*') {
        return Err(ScopeError::Wildcard(text.to_owned()));
    }
    // No right's name begins with another's and a colon, so at most one can be meant.
    let split = Right::all()
        .find_map(|right| Some((right, text.strip_prefix(right.name())?.strip_prefix(':')?)));
    let (right, prefix) = split.ok_or_else(|| ScopeError::Unknown(text.to_owned()))?;
    if !right.is_limitable() {
        return Err(ScopeError::NotLimitable(text.to_owned()));
    }
    let key = Key::client(prefix)
        .map_err(|source| ScopeError::Prefix { scope: text.to_owned(), source })?;
    Ok(Scope { grant: Grant::One(right), within: Some(key.as_str().into()) })
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.grant, &self.within) {
            (Grant::Everything, _) => f.write_str("*"),
            (Grant::Area(area), _) => write!(f, "{area}:*"),
            (Grant::One(right), None) => f.write_str(right.name()),
            (Grant::One(right), Some(prefix)) => write!(f, "{right}:{prefix}"),
        }
    }
}
