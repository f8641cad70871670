//! What one of our own tokens says, and whether that holds here and now.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{TokenError, compact};
use crate::id::{TokenId, UserId};
use crate::scope::ScopeSet;
use crate::stamp::UnixMillis;

/// A point in time in seconds since the Unix epoch, as tokens have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// The second that `millis` is in.
    pub const fn of(millis: UnixMillis) -> Self {
        Self(millis.0 / 1000)
    }

    /// The second's first millisecond.
    pub const fn millis(self) -> UnixMillis {
        UnixMillis(self.0.saturating_mul(1000))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The claims of a token of our own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it.
    pub iss: String,
    /// For whom: the id of the cluster.
    pub aud: String,
    /// Whose it is.
    pub sub: UserId,
    /// What it may be used for, as far as its user may.
    pub scopes: ScopeSet,
    /// When it was made.
    pub iat: UnixSeconds,
    /// From when on it is not to be believed.
    pub exp: UnixSeconds,
    /// Which token it is.
    pub jti: TokenId,
}

/// What a node expects of a token.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The exact issuer.
    pub issuer: &'a str,
    /// The exact audience.
    pub audience: &'a str,
    /// Wall time.
    pub now: UnixMillis,
    /// By how much the clock of the node that made the token may be ahead of this one's.
    pub drift: Duration,
}

/// When a token may be used: from its start, a drift of clocks allowed, until its end, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The later of its `iat` and `nbf`, if it has any.
    pub start: Option<UnixSeconds>,
    /// Its `exp`: the first second at which it is not valid.
    pub end: UnixSeconds,
}

impl Period {
    /// Whether `now` is within.
    ///
    /// # Errors
    ///
    /// [`TokenError::Expired`] or [`TokenError::NotYetValid`].
    pub fn check(&self, now: UnixMillis, drift: Duration) -> Result<(), TokenError> {
        if now >= self.end.millis() {
            return Err(TokenError::Expired(self.end));
        }
        match self.start {
            Some(start) if now.after(drift) < start.millis() => Err(TokenError::NotYetValid(start)),
            _ => Ok(()),
        }
    }
}

impl Claims {
    /// The first two parts of a token with these claims: what is to be signed with the key `kid`.
    pub fn to_sign(&self, kid: &str) -> String {
        compact::to_sign(kid, self)
    }

    /// When the token may be used.
    pub const fn period(&self) -> Period {
        Period { start: Some(self.iat), end: self.exp }
    }

    /// Whether a token with these claims is for this cluster and this moment.
    ///
    /// # Errors
    ///
    /// The first claim that does not hold: issuer, audience, time.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), TokenError> {
        if self.iss != expected.issuer {
            return Err(TokenError::Issuer(self.iss.clone()));
        }
        if self.aud != expected.audience {
            let (found, expected) = (self.aud.clone(), expected.audience.to_owned());
            return Err(TokenError::Audience { found, expected });
        }
        self.period().check(expected.now, expected.drift)
    }
}
