//! What `_tree` answers.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    present,
    value::{Value, ValueError},
};

/// One key below a prefix, with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(try_from = "TreeFields")]
pub struct TreeItem {
    /// The whole key.
    pub key: String,
    /// The identity of the current version.
    pub uuid: Uuid,
    /// When it was written, in Unix milliseconds.
    pub timestamp: u64,
    /// When it expires, in Unix milliseconds; absent where it never does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// What is stored there.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::StoredValue))]
    pub value: Value,
}

#[derive(Deserialize)]
struct TreeFields {
    key: String,
    uuid: Uuid,
    timestamp: u64,
    expires: Option<u64>,
    #[serde(default, deserialize_with = "present::some")]
    data: Option<Box<RawValue>>,
    content_type: Option<String>,
    data_base64: Option<String>,
}

impl TryFrom<TreeFields> for TreeItem {
    type Error = ValueError;

    fn try_from(body: TreeFields) -> Result<Self, ValueError> {
        let TreeFields { key, uuid, timestamp, expires, .. } = body;
        let value = Value::from_fields("data", (body.data, body.content_type, body.data_base64))?;
        Ok(Self { key, uuid, timestamp, expires, value })
    }
}

/// The answer of `_tree?format=nested`: one object per segment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NestedTree {
    /// Nested objects named by segment, leaves being the stored JSON. Where a key has both a value
    /// and children, its value is under `_value`, a name no segment can have. It is kept as text:
    /// keys and values together may nest deeper than parsers like.
    #[cfg_attr(feature = "openapi", schema(value_type = serde_json::Value))]
    pub tree: Box<RawValue>,
    /// The cursor to pass as `after` for the rest; `null` at the end.
    pub next: Option<String>,
}

/// The last line of an NDJSON tree that was cut short; a complete one has no such line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct More {
    /// The cursor to pass as `after` for the rest.
    pub next: String,
}
