//! Tokens: what one says, and whether it is to be believed here and now.
//!
//! A token is a JSON Web Token in its compact form (RFC 7519, RFC 7515): a header that names a key,
//! claims, a signature. This module takes tokens apart and judges claims; whoever has the keys
//! checks signatures. Nothing of a token but its header and issuer, which are needed to choose the
//! key, can be read before its signature was.
//!
//! What a header says about keys beyond `kid` (`jku`, `jwk`, `x5u` …) is not looked at, and a header
//! with `crit` is refused, as RFC 7515 asks of those who know no extension.

mod claims;
mod compact;
mod lifetime;

#[cfg(test)]
mod tests;

use thiserror::Error;

pub use self::claims::{Claims, Expected, Period, UnixSeconds};
pub use self::compact::{Algorithm, MAX_TOKEN, Unverified, Verified, compact};
pub use self::lifetime::{Lifetimes, MIN_LIFETIME, TtlError};

/// Why a token is not believed. Nothing was changed; each is the caller's to mend (401).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not a token at all.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// `none`, `HS256`, or whatever else the key that it names is not for.
    #[error("the token's algorithm is {found:?}; only {expected} is accepted with its key")]
    Algorithm {
        /// What its header says.
        found: String,
        /// What the key is for.
        expected: Algorithm,
    },
    /// Made by somebody whom this node does not know.
    #[error("the token's issuer {0:?} is not one that this node trusts")]
    Issuer(String),
    /// Its key is not, or no longer, one of the issuer's.
    #[error("the token's key {0:?} is unknown; it may have been replaced")]
    UnknownKey(String),
    /// Not signed with the key that it names, or changed since.
    #[error("the token's signature does not fit")]
    Signature,
    /// Made for another cluster.
    #[error("the token is for {found:?}; this cluster is {expected:?}")]
    Audience {
        /// For whom it was made.
        found: String,
        /// Who this is.
        expected: String,
    },
    /// Its time is over.
    #[error("the token expired at {0}")]
    Expired(UnixSeconds),
    /// Its time has not come, or a clock is wrong.
    #[error("the token is not valid before {0}; is a clock wrong?")]
    NotYetValid(UnixSeconds),
    /// Taken back before its time was over.
    #[error("the token was revoked")]
    Revoked,
    /// Its maker was asked about it.
    #[error("the token's issuer does not call it theirs, or not any more")]
    Disowned,
    /// Whoever made it is believed, and nobody here has the name that they vouch for, or may log in.
    #[error("no user here is called {0:?}, or they are disabled")]
    Unmapped(String),
    /// The user is not there any more, or may not log in.
    #[error("the token's user is deleted or disabled")]
    User,
}
