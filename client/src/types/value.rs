//! What a key holds, and the answers to reading and writing it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::present;

/// The content type of JSON, in requests and in answers.
pub const JSON_CONTENT_TYPE: &str = "application/json";

/// A stored value: JSON kept byte for byte, or bytes of some other content type.
///
/// Inside a JSON body the first is a field `data`, the second are the fields `content_type` and
/// `data_base64` (standard alphabet, padded).
#[derive(Clone, Debug)]
pub enum Value {
    /// The JSON text as it was sent.
    Json(Box<RawValue>),
    /// Anything else, with the type it was stored under.
    Bytes {
        /// The content type given with the write, for example `image/png`.
        content_type: String,
        /// The stored bytes.
        data: Bytes,
    },
}

/// Why the fields of a JSON body do not make a [`Value`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// There is neither a JSON value nor bytes.
    #[error("a value is missing: give `{json}`, or `content_type` and `data_base64`")]
    Missing {
        /// The name of the JSON field in this body: `data` or `value`.
        json: &'static str,
    },
    /// Both forms are there, or one field of the second form alone.
    #[error("give either `{json}`, or `content_type` together with `data_base64`")]
    Mixed {
        /// The name of the JSON field in this body: `data` or `value`.
        json: &'static str,
    },
    /// `data_base64` does not decode.
    #[error("`data_base64` is not base64 of the standard alphabet with padding")]
    Base64(#[source] base64::DecodeError),
}

impl Value {
    /// The JSON text of `value`.
    ///
    /// # Errors
    /// When `value` does not serialise, for example a map whose keys are not strings.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self::Json)
    }

    /// `data` stored under `content_type`.
    pub fn bytes(content_type: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Self::Bytes { content_type: content_type.into(), data: data.into() }
    }

    /// The type that a raw read of this value carries.
    pub fn content_type(&self) -> &str {
        match self {
            Self::Json(_) => JSON_CONTENT_TYPE,
            Self::Bytes { content_type, .. } => content_type,
        }
    }

    /// The bytes that a raw read of this value answers.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Json(text) => text.get().as_bytes(),
            Self::Bytes { data, .. } => data,
        }
    }

    /// Builds a value from the fields of a body, whose JSON field is named `json`.
    pub(super) fn from_fields(json: &'static str, fields: Fields) -> Result<Self, ValueError> {
        match fields {
            (Some(text), None, None) => Ok(Self::Json(text)),
            (None, Some(content_type), Some(base64)) => {
                let data = STANDARD.decode(base64).map_err(ValueError::Base64)?;
                Ok(Self::Bytes { content_type, data: data.into() })
            }
            (None, None, None) => Err(ValueError::Missing { json }),
            _ => Err(ValueError::Mixed { json }),
        }
    }

    /// Writes the value's fields, the JSON one under the name `json`.
    pub(super) fn serialize_as<S: Serializer>(
        &self,
        json: &'static str,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(text) => {
                let mut fields = serializer.serialize_struct("Value", 1)?;
                fields.serialize_field(json, text)?;
                fields.end()
            }
            Self::Bytes { content_type, data } => {
                let mut fields = serializer.serialize_struct("Value", 2)?;
                fields.serialize_field("content_type", content_type)?;
                fields.serialize_field("data_base64", &STANDARD.encode(data))?;
                fields.end()
            }
        }
    }
}

/// The three fields that may hold a value: JSON, content type, base64.
pub(super) type Fields = (Option<Box<RawValue>>, Option<String>, Option<String>);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize_as("data", serializer)
    }
}

/// Equal means byte for byte: `1` and `1.0` are different stored values.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.content_type() == other.content_type() && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Value {}

/// The answer to a read: one version of a key, with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(try_from = "StoredFields")]
pub struct Stored {
    /// The identity of this version.
    pub uuid: Uuid,
    /// When it was written, in Unix milliseconds.
    pub timestamp: u64,
    /// What was written.
    #[serde(flatten)]
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::StoredValue))]
    pub value: Value,
}

#[derive(Deserialize)]
struct StoredFields {
    uuid: Uuid,
    timestamp: u64,
    #[serde(default, deserialize_with = "present::some")]
    data: Option<Box<RawValue>>,
    content_type: Option<String>,
    data_base64: Option<String>,
}

impl TryFrom<StoredFields> for Stored {
    type Error = ValueError;

    fn try_from(body: StoredFields) -> Result<Self, ValueError> {
        let value = Value::from_fields("data", (body.data, body.content_type, body.data_base64))?;
        Ok(Self { uuid: body.uuid, timestamp: body.timestamp, value })
    }
}

/// The answer to a write: the version it made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Written {
    /// The identity of the new version.
    pub uuid: Uuid,
    /// When it was written, in Unix milliseconds.
    pub timestamp: u64,
}

/// The body of `POST /kv/{key}/_restore`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// The revision to write back, as `_history` names it.
    pub uuid: Uuid,
}
