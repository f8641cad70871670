//! What `_changes` answers, page by page or as a stream.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ChangeOp {
    /// A value was written.
    Put,
    /// The key was deleted.
    Delete,
    /// The value reached its time to live.
    Expire,
    /// Owner, group, mode or default time to live were set.
    Metadata,
}

impl ChangeOp {
    /// The name in JSON, and of the server-sent event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Expire => "expire",
            Self::Metadata => "metadata",
        }
    }
}

impl fmt::Display for ChangeOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One change below a watched prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Change {
    /// What happened.
    pub op: ChangeOp,
    /// To which key.
    pub key: String,
    /// The version that the change made; for an expiry, the version that expired.
    pub uuid: Uuid,
    /// When that version was written, in Unix milliseconds.
    pub timestamp: u64,
    /// The node that accepted the write.
    pub origin: Uuid,
    /// When the version expires, in Unix milliseconds; `null` for never.
    pub expires: Option<u64>,
    /// Where this change stands in this node's commit order: resume after it.
    pub cursor: String,
}

/// The data of a `reset` event: the cursor that was asked for is unknown here, and changes may
/// have been missed. Read the prefix again, then go on from `cursor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reset {
    /// Why the cursor is unknown, in a sentence.
    pub reason: String,
    /// Where the stream goes on.
    pub cursor: String,
}
