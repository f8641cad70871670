//! One key as a line of NDJSON: what `kvs export` writes and `kvs import` reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kvs_client::{TreeItem, Value};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use thiserror::Error;

/// Makes an item fit a line.
pub(super) fn line(item: TreeItem) -> TreeItem {
    TreeItem { value: on_one_line(item.value), ..item }
}

/// JSON with line breaks loses its white space; all other JSON stays as it is, byte for byte.
fn on_one_line(value: Value) -> Value {
    match value {
        Value::Json(text) if text.get().contains(['\n', '\r']) => {
            let compact = kvs_core::json::compact(text.get()).into_owned();
            Value::Json(RawValue::from_string(compact).unwrap_or(text))
        }
        value => value,
    }
}

/// What an import needs of a line; more may stand there.
#[derive(Debug)]
pub(super) struct Line {
    /// The key.
    pub(super) key: String,
    /// Its value.
    pub(super) value: Value,
    /// When it expires, in Unix milliseconds.
    pub(super) expires: Option<u64>,
}

/// Why a line is not a key with its value.
#[derive(Debug, Error)]
pub(super) enum LineError {
    /// Not JSON, or not such an object.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// No value, or more than one.
    #[error("key {0}: give either `data`, or `content_type` together with `data_base64`")]
    Value(String),
    /// The bytes do not decode.
    #[error("key {0}: `data_base64` is not base64 of the standard alphabet with padding")]
    Base64(String),
}

#[derive(Deserialize)]
struct Fields {
    key: String,
    #[serde(default, deserialize_with = "present")]
    data: Option<Box<RawValue>>,
    content_type: Option<String>,
    data_base64: Option<String>,
    expires: Option<u64>,
}

/// A stored `null` is a value, and must not read as none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(deserializer).map(Some)
}

impl Line {
    pub(super) fn parse(text: &str) -> Result<Self, LineError> {
        let Fields { key, data, content_type, data_base64, expires } = serde_json::from_str(text)?;
        let value = match (data, content_type, data_base64) {
            (Some(json), None, None) => Value::Json(json),
            (None, Some(content_type), Some(base64)) => match STANDARD.decode(base64) {
                Ok(bytes) => Value::bytes(content_type, bytes),
                Err(_error) => return Err(LineError::Base64(key)),
            },
            _ => return Err(LineError::Value(key)),
        };
        Ok(Self { key, value, expires })
    }
}
