//! What `POST /kv/_batch` takes and answers.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    present,
    problem::Problem,
    value::{Stored, Value, ValueError, Written},
};

/// The body of a batch: up to 1,000 items, each checked and atomic on its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// What to do, in this order.
    pub items: Vec<BatchItem>,
}

/// One operation of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", try_from = "BatchItemFields")]
pub enum BatchItem {
    /// Reads a key.
    Get {
        /// The key.
        key: String,
    },
    /// Writes a key.
    Put {
        /// The key.
        key: String,
        /// What to write. Its JSON form is the field `value` here.
        #[serde(flatten, serialize_with = "as_put")]
        value: Value,
        /// How long the value lives, for example `1h`.
        #[serde(skip_serializing_if = "Option::is_none")]
        ttl: Option<String>,
        /// Write only over one of these versions, as the header `If-Match` says it.
        #[serde(skip_serializing_if = "Option::is_none")]
        if_match: Option<String>,
        /// `*`: write only where nothing is, as the header `If-None-Match` says it.
        #[serde(skip_serializing_if = "Option::is_none")]
        if_none_match: Option<String>,
    },
    /// Deletes a key.
    Delete {
        /// The key.
        key: String,
        /// Delete only one of these versions, as the header `If-Match` says it.
        #[serde(skip_serializing_if = "Option::is_none")]
        if_match: Option<String>,
    },
}

impl BatchItem {
    /// Reads `key`.
    pub fn get(key: impl Into<String>) -> Self {
        Self::Get { key: key.into() }
    }

    /// Writes `value` to `key`, whatever is there.
    pub fn put(key: impl Into<String>, value: Value) -> Self {
        Self::Put { key: key.into(), value, ttl: None, if_match: None, if_none_match: None }
    }

    /// Deletes `key`, whatever is there.
    pub fn delete(key: impl Into<String>) -> Self {
        Self::Delete { key: key.into(), if_match: None }
    }

    /// The key that the item is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Get { key } | Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }
}

fn as_put<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    value.serialize_as("value", serializer)
}

/// One operation: `get` takes a key; `delete` a key and perhaps `if_match`; `put` a key, either
/// `value` or `content_type` with `data_base64`, and the rest if wanted.
// A tagged enum would do, but serde buffers what it tags, and JSON text does not survive that byte
// for byte.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct BatchItemFields {
    /// What to do.
    op: BatchOp,
    /// The key.
    key: String,
    /// What to write, as JSON. Only for a put.
    #[serde(default, deserialize_with = "present::some")]
    #[cfg_attr(feature = "openapi", schema(value_type = serde_json::Value, required = false))]
    value: Option<Box<RawValue>>,
    /// The type of `data_base64`. Only for a put.
    content_type: Option<String>,
    /// What to write, as bytes in base64. Only for a put.
    data_base64: Option<String>,
    /// How long the value lives, for example `1h`. Only for a put.
    ttl: Option<String>,
    /// As the header `If-Match`. Only for a put or a delete.
    if_match: Option<String>,
    /// As the header `If-None-Match`. Only for a put.
    if_none_match: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum BatchOp {
    Get,
    Put,
    Delete,
}

/// Why an item's fields do not make an operation.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchItemError {
    #[error("a {op} has no `{field}`")]
    Foreign { op: &'static str, field: &'static str },
    #[error(transparent)]
    Value(#[from] ValueError),
}

impl TryFrom<BatchItemFields> for BatchItem {
    type Error = BatchItemError;

    fn try_from(fields: BatchItemFields) -> Result<Self, BatchItemError> {
        match fields.op {
            BatchOp::Get => fields.into_get(),
            BatchOp::Put => fields.into_put(),
            BatchOp::Delete => fields.into_delete(),
        }
    }
}

impl BatchItemFields {
    fn into_get(self) -> Result<BatchItem, BatchItemError> {
        self.refuse_put_fields("get")?;
        refuse("get", "if_match", self.if_match.is_some())?;
        Ok(BatchItem::Get { key: self.key })
    }

    fn into_delete(self) -> Result<BatchItem, BatchItemError> {
        self.refuse_put_fields("delete")?;
        Ok(BatchItem::Delete { key: self.key, if_match: self.if_match })
    }

    fn into_put(self) -> Result<BatchItem, BatchItemError> {
        let value = Value::from_fields("value", (self.value, self.content_type, self.data_base64))?;
        let Self { key, ttl, if_match, if_none_match, .. } = self;
        Ok(BatchItem::Put { key, value, ttl, if_match, if_none_match })
    }

    fn refuse_put_fields(&self, op: &'static str) -> Result<(), BatchItemError> {
        refuse(op, "value", self.value.is_some())?;
        refuse(op, "content_type", self.content_type.is_some())?;
        refuse(op, "data_base64", self.data_base64.is_some())?;
        refuse(op, "ttl", self.ttl.is_some())?;
        refuse(op, "if_none_match", self.if_none_match.is_some())
    }
}

fn refuse(op: &'static str, field: &'static str, given: bool) -> Result<(), BatchItemError> {
    if given { Err(BatchItemError::Foreign { op, field }) } else { Ok(()) }
}

/// The answer to a batch: one result per item, in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchResponse {
    /// The results.
    pub items: Vec<BatchResult>,
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BatchResultFields")]
pub struct BatchResult {
    /// The status code that a request of its own would have had.
    pub status: u16,
    /// The body that a request of its own would have had.
    #[serde(flatten)]
    pub outcome: BatchOutcome,
}

/// The body of one [`BatchResult`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum BatchOutcome {
    /// A get found this.
    Read(Stored),
    /// A put made this version.
    Written(Written),
    /// A delete was done.
    Deleted,
    /// The item was refused or failed; the others are not touched by that.
    Failed {
        /// Why.
        problem: Problem,
    },
}

/// What became of one item: `status`, and what a request of its own would have answered.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct BatchResultFields {
    /// The status code that a request of its own would have had.
    status: u16,
    /// The version that was read or written.
    uuid: Option<Uuid>,
    /// When that version was written, in Unix milliseconds.
    timestamp: Option<u64>,
    /// What was read, where it is JSON.
    #[serde(default, deserialize_with = "present::some")]
    #[cfg_attr(feature = "openapi", schema(value_type = serde_json::Value, required = false))]
    data: Option<Box<RawValue>>,
    /// The type of `data_base64`.
    content_type: Option<String>,
    /// What was read, where it is not JSON.
    data_base64: Option<String>,
    /// Why the item was refused or failed.
    problem: Option<Problem>,
}

impl TryFrom<BatchResultFields> for BatchResult {
    type Error = ValueError;

    fn try_from(fields: BatchResultFields) -> Result<Self, ValueError> {
        let BatchResultFields { status, .. } = fields;
        fields.into_outcome().map(|outcome| Self { status, outcome })
    }
}

impl BatchResultFields {
    fn into_outcome(self) -> Result<BatchOutcome, ValueError> {
        if let Some(problem) = self.problem {
            return Ok(BatchOutcome::Failed { problem });
        }
        let (Some(uuid), Some(timestamp)) = (self.uuid, self.timestamp) else {
            return Ok(BatchOutcome::Deleted);
        };
        match Value::from_fields("data", (self.data, self.content_type, self.data_base64)) {
            Ok(value) => Ok(BatchOutcome::Read(Stored { uuid, timestamp, value })),
            Err(ValueError::Missing { .. }) => {
                Ok(BatchOutcome::Written(Written { uuid, timestamp }))
            }
            Err(error) => Err(error),
        }
    }
}
