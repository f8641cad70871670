//! What is not to be believed any more.

use std::time::Duration;

use super::KeyId;
use crate::id::{TokenId, UserId};
use crate::stamp::{Stamp, UnixMillis};
use crate::token::UnixSeconds;

/// What was revoked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revoked {
    /// One token.
    Token(TokenId),
    /// A user who was deleted, and all their tokens.
    User(UserId),
    /// A signing key, and all tokens that it signed.
    Key(KeyId),
}

/// One revocation. Its key says all of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revocation {
    pub(super) what: Revoked,
    pub(super) until: UnixMillis,
}

impl Revocation {
    /// The end of those that have none: the greatest point that a stamp can hold.
    const NEVER: UnixMillis = UnixMillis(Stamp::MAX_MILLIS);

    /// Of a token that ends at `exp`. `drift` is by how much another node's clock may be behind: it
    /// believes the token for that much longer.
    pub fn token(token: TokenId, exp: UnixSeconds, drift: Duration) -> Self {
        Self { what: Revoked::Token(token), until: exp.millis().after(drift) }
    }

    /// Of a user, for ever: an id is not used again, and a node that was away for longer than any
    /// token lives may still bring the user's record back.
    pub const fn user(user: UserId) -> Self {
        Self { what: Revoked::User(user), until: Self::NEVER }
    }

    /// Of a signing key, for ever: who has it could make tokens that never end.
    pub const fn key(kid: KeyId) -> Self {
        Self { what: Revoked::Key(kid), until: Self::NEVER }
    }

    /// What was revoked.
    pub const fn what(&self) -> &Revoked {
        &self.what
    }

    /// When the record is written to expire: when nothing that it concerns can be valid.
    pub fn expires_at(&self) -> Option<UnixMillis> {
        (self.until < Self::NEVER).then_some(self.until)
    }

    /// Whether it holds at `now`, given that there is, or was, any version of its record at all.
    pub fn is_in_force(&self, now: UnixMillis) -> bool {
        self.expires_at().is_none_or(|until| now < until)
    }
}
