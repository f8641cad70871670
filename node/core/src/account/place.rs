//! Where the records of accounts lie.

use std::str::FromStr;

use super::{KeyId, Name, Revocation, Revoked};
use crate::id::{GroupId, TokenId, UserId};
use crate::key::{Key, KeyError};
use crate::stamp::{Stamp, UnixMillis};

/// What a key under `_system/` is the key of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A user.
    User(Name),
    /// A group.
    Group(Name),
    /// A user's membership of a group.
    Membership(GroupId, UserId),
    /// What is known of a token.
    Token(TokenId),
    /// A signing key.
    SigningKey(KeyId),
    /// A revocation.
    Revocation(Revocation),
}

impl Place {
    /// What lies below these prefixes is worth nothing in another cluster: tokens, and the keys that
    /// signed them.
    pub const OF_ONE_CLUSTER: [&str; 2] = ["_system/keys", "_system/tokens"];

    /// The key.
    ///
    /// # Errors
    ///
    /// None in practice: names and identifiers are segments of bounded length.
    pub fn key(&self) -> Result<Key, KeyError> {
        Key::system(&self.text())
    }

    fn text(&self) -> String {
        match self {
            Self::User(name) => format!("_system/users/{name}"),
            Self::Group(name) => format!("_system/groups/{name}"),
            Self::Membership(group, user) => format!("_system/memberships/{group}/{user}"),
            Self::Token(token) => format!("_system/tokens/{token}"),
            Self::SigningKey(kid) => format!("_system/keys/{kid}"),
            Self::Revocation(revocation) => match (&revocation.what, revocation.until) {
                (Revoked::Token(token), until) => {
                    format!("_system/revoked/tokens/{token}/{}", until.0)
                }
                (Revoked::User(user), _) => format!("_system/revoked/users/{user}"),
                (Revoked::Key(kid), _) => format!("_system/revoked/keys/{kid}"),
            },
        }
    }

    /// What `key` is the key of; nothing for any that no record of accounts has. There is one
    /// spelling of each: identifiers in lower case, numbers without leading zeros.
    pub fn of(key: &Key) -> Option<Self> {
        let mut segments = key.segments();
        let parts: [Option<&str>; 6] = std::array::from_fn(|_| segments.next());
        let place = match parts {
            [Some("_system"), Some("users"), Some(name), None, ..] => Self::User(read(name)?),
            [Some("_system"), Some("groups"), Some(name), None, ..] => Self::Group(read(name)?),
            [Some("_system"), Some("memberships"), Some(group), Some(user), None, _] => {
                Self::Membership(read(group)?, read(user)?)
            }
            [Some("_system"), Some("tokens"), Some(token), None, ..] => Self::Token(read(token)?),
            [Some("_system"), Some("keys"), Some(kid), None, ..] => Self::SigningKey(read(kid)?),
            [Some("_system"), Some("revoked"), Some(kind), Some(what), until, None] => {
                Self::Revocation(revocation(kind, what, until)?)
            }
            _ => return None,
        };
        (place.text() == key.as_str()).then_some(place)
    }
}

fn revocation(kind: &str, what: &str, until: Option<&str>) -> Option<Revocation> {
    match (kind, until) {
        ("tokens", Some(until)) => {
            let until = read::<u64>(until).filter(|until| *until <= Stamp::MAX_MILLIS)?;
            Some(Revocation { what: Revoked::Token(read(what)?), until: UnixMillis(until) })
        }
        ("users", None) => Some(Revocation::user(read(what)?)),
        ("keys", None) => Some(Revocation::key(read(what)?)),
        _ => None,
    }
}

fn read<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}
