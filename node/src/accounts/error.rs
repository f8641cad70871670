//! Why accounts are not changed as asked.

use kvs_core::account::{Lacking, Name, RecordError};
use kvs_core::token::TtlError;
use kvs_core::{KeyError, TokenId};
use thiserror::Error;

use crate::node::ReadError;
use crate::writer::{Refused, SubmitError};

/// Why accounts are not changed as asked. Nothing was changed.
#[derive(Debug, Error)]
pub enum AccountError {
    /// The caller would give, or take, what they lack.
    #[error(transparent)]
    Lacking(#[from] Lacking),
    /// The name is in use.
    #[error("there is a {what} {name} already")]
    Exists {
        /// A user or a group.
        what: &'static str,
        /// The name.
        name: Name,
    },
    /// Nobody and nothing has this name.
    #[error("there is no {what} {name}")]
    Unknown {
        /// A user or a group.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The user is not in the group.
    #[error("{user} is not in the group {group}")]
    NotMember {
        /// The user.
        user: Name,
        /// The group.
        group: Name,
    },
    /// There is no such token, or it has ended.
    #[error("there is no token {0}; it may have ended or been revoked")]
    NoToken(TokenId),
    /// A token for nobody.
    #[error("whose token is it to be? name a user")]
    Whose,
    /// The user may not log in.
    #[error("the user {0} is disabled, so no token of theirs would be believed")]
    Disabled(Name),
    /// A lifetime that no token may have.
    #[error(transparent)]
    Ttl(#[from] TtlError),
    /// No key signs now.
    #[error(
        "this node has no signing key that is not revoked yet, so no token can be made; try again \
         in a moment"
    )]
    NoKey,
    /// Others changed the same record again and again.
    #[error("the record is being changed by others; try again")]
    Contended,
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What is stored is damaged, or this is not the key of anything.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Nothing was written, or the store failed.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// What is there is damaged.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl From<KeyError> for AccountError {
    fn from(error: KeyError) -> Self {
        RecordError::from(error).into()
    }
}
