//! The metadata of a key or prefix: a record of its own beside the value's.

use std::time::Duration;

use crate::id::{GroupId, UserId};
use crate::mode::Mode;

/// What `_metadata` sets. The nearest metadata governs a key as a whole: its own, else that of the
/// nearest ancestor that has some. A field that is absent there is at its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Who owns the key, instead of whoever first wrote it.
    pub owner: Option<UserId>,
    /// The group whose bits are the middle four.
    pub group: Option<GroupId>,
    /// Who may do what.
    pub mode: Option<Mode>,
    /// How long a value written here lives unless its write says otherwise.
    pub ttl: Option<Duration>,
}

impl Meta {
    /// Whether nothing is set: such metadata is stored as a tombstone.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
