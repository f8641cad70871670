//! What `_history` answers.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a revision did to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RevisionOp {
    /// It wrote a value.
    Put,
    /// It deleted the key.
    Delete,
}

/// Which rule of the version order decided against a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Superseded {
    /// A later stamp won.
    Older,
    /// On equal stamps, the version of the node that joined earlier won.
    YoungerOrigin,
    /// On equal join times, the greater uuid won.
    Uuid,
}

/// One version of a key that the node still has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Revision {
    /// The identity of the version: `revision` reads it, `_restore` writes it back.
    pub uuid: Uuid,
    /// When it was written, in Unix milliseconds.
    pub timestamp: u64,
    /// The node that accepted the write.
    pub origin: Uuid,
    /// Whether this is what a read answers now.
    pub current: bool,
    /// Why it is not the current one; `null` for the current one.
    pub superseded: Option<Superseded>,
    /// Whether it wrote or deleted.
    pub op: RevisionOp,
    /// The length of the value in bytes; `null` for a delete.
    pub size: Option<u64>,
    /// The content type of the value; `null` for a delete.
    pub content_type: Option<String>,
}
