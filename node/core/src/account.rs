//! Accounts: users, groups, memberships, tokens, signing keys and revocations, as records under
//! `_system/` that replicate and merge as any other key does.
//!
//! ```text
//! _system/users/NAME                     a user; the id, which owns keys, is within
//! _system/groups/NAME                    a group
//! _system/memberships/GROUP ID/USER ID   that the user is in the group
//! _system/tokens/TOKEN ID                what is known of a token; never the token
//! _system/keys/KEY ID                    a key that tokens are signed with
//! _system/revoked/tokens/TOKEN ID/UNTIL  that the token is not to be believed before UNTIL
//! _system/revoked/users/USER ID          that the user is deleted, for ever
//! _system/revoked/keys/KEY ID            that the signing key is not to be believed, for ever
//! ```
//!
//! Two nodes that make a user of one name at the same moment write one record, of which one version
//! wins; tokens of the loser name an id that nobody has, and are worth nothing. A name that is used
//! again gets a new id, so it inherits neither keys nor memberships.
//!
//! **Revocations only grow**, though records are merged by the last write. A revocation says all it
//! says in its key and has a body that never differs, so it does not matter which version of it
//! wins. No operation deletes one. Those that end are written to expire at their end, which is in the
//! key too; readers look at the key alone and take even a tombstone there for a revocation
//! ([`Revocation::is_in_force`]). A user is deleted by deleting the record *and* writing the
//! revocation of the id: where an edit from the far side of a partition brings the record back, the
//! id stays revoked.

mod directory;
mod name;
mod place;
mod record;
mod revocation;
mod root;

#[cfg(test)]
mod tests;

use thiserror::Error;

pub use self::directory::{Directory, Rights};
pub use self::name::{KeyId, MAX_KEY_ID, MAX_NAME, Name, NameError};
pub use self::place::Place;
pub use self::record::{
    FORMAT, Group, Membership, Record, RecordError, SigningKey, Token, User, decode, encode,
};
pub use self::revocation::{Revocation, Revoked};
pub use self::root::{ROOT_GROUP, ROOT_USER, RootIds, root_records};

use crate::scope::{Scope, ScopeSet};

/// The caller would give what they lack. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("only who holds the scope {0} may change somebody or something that holds it")]
pub struct Lacking(pub Scope);

/// Whether somebody who holds `held` may turn what holds `before` into what holds `after`. For a
/// user and a membership, these are the scopes of the user with those of all their groups.
///
/// # Errors
///
/// The first scope of either that the caller does not hold.
pub fn may_change(held: &ScopeSet, before: &ScopeSet, after: &ScopeSet) -> Result<(), Lacking> {
    match before.lacking(held).or_else(|| after.lacking(held)) {
        Some(scope) => Err(Lacking(scope.clone())),
        None => Ok(()),
    }
}
