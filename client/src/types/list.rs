//! Pages, and what `_ls` lists.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One page of a list: what every list route answers.
///
/// A page may be empty and still have a `next`: a request examines a bounded number of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in the route's order.
    pub items: Vec<T>,
    /// The cursor to pass as `after` for the next page; `null` at the end.
    pub next: Option<String>,
}

/// One direct child of a listed prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListItem {
    /// The child's own segment, for example `FI`.
    pub name: String,
    /// The child's whole key, for example `iso/3166-1/FI`.
    pub key: String,
    /// Whether a value is stored at this key.
    pub value: bool,
    /// Whether anything lies below this key.
    pub children: bool,
    /// Asked for with `metadata=true`, and only where a value is stored.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ItemMetadata>,
}

/// What `metadata=true` adds to a [`ListItem`] that has a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemMetadata {
    /// The identity of the current version.
    pub uuid: Uuid,
    /// When the current version was written, in Unix milliseconds.
    pub timestamp: u64,
    /// When the key was first written, in Unix milliseconds.
    pub created: u64,
    /// When the current version expires, in Unix milliseconds; `null` for never.
    pub expires: Option<u64>,
    /// The length of the value in bytes, as a raw read answers it.
    pub size: u64,
    /// The content type of the value.
    pub content_type: String,
}
