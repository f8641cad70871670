//! A stored value within a JSON body: JSON as it was sent, byte for byte, anything else in base64.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kvs_core::{Body, json};

use crate::records::Entry;
use crate::store::StoreError;

/// What a key holds, ready to be written.
pub(super) enum Rendered {
    /// JSON text.
    Json(Bytes),
    /// The fields `content_type` and `data_base64`, without braces.
    Fields(String),
}

impl Rendered {
    /// Renders the value of an entry.
    pub(super) fn of(entry: &Entry) -> Result<Self, StoreError> {
        let Body::Value(value) = &entry.version.body else { return Ok(Self::Json(Bytes::new())) };
        let damaged = |error| StoreError::Damaged(format!("the value of {:?}: {error}", entry.key));
        let bytes = value.bytes().map_err(damaged)?;
        Ok(if value.content_type.is_json() {
            Self::Json(bytes)
        } else {
            Self::Fields(fields(value.content_type.as_str(), &bytes))
        })
    }

    /// The same without line feeds and other blanks, for line formats.
    pub(super) fn compact(self) -> Self {
        let Self::Json(bytes) = &self else { return self };
        match std::str::from_utf8(bytes).map(json::compact) {
            Ok(Cow::Owned(text)) => Self::Json(text.into()),
            // Compact already. What is no text is never stored as JSON.
            Ok(Cow::Borrowed(_)) | Err(_) => self,
        }
    }

    /// The value as one JSON value.
    pub(super) fn push_value(&self, text: &mut Vec<u8>) {
        match self {
            Self::Json(json) => text.extend_from_slice(json),
            Self::Fields(fields) => {
                text.push(b'{');
                text.extend_from_slice(fields.as_bytes());
                text.push(b'}');
            }
        }
    }

    /// How many bytes [`Self::push_value`] adds.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(json) => json.len(),
            Self::Fields(fields) => fields.len() + 2,
        }
    }
}

/// An entry as one JSON object, see [`kvs_client::TreeItem`].
pub(super) fn item(entry: &Entry, value: &Rendered) -> Vec<u8> {
    let version = &entry.version;
    let mut text = Vec::with_capacity(value.len() + 128 + entry.key.as_str().len());
    text.extend_from_slice(b"{\"key\":");
    text.extend_from_slice(quoted(entry.key.as_str()).as_bytes());
    let (uuid, timestamp) = (version.uuid.uuid(), version.stamp.millis().0);
    let head = format!(",\"uuid\":\"{uuid}\",\"timestamp\":{timestamp},");
    text.extend_from_slice(head.as_bytes());
    if let Some(expires) = version.expires_at {
        text.extend_from_slice(format!("\"expires\":{expires},").as_bytes());
    }
    match value {
        Rendered::Json(json) => {
            text.extend_from_slice(b"\"data\":");
            text.extend_from_slice(json);
        }
        Rendered::Fields(fields) => text.extend_from_slice(fields.as_bytes()),
    }
    text.push(b'}');
    text
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    // A string can always be written.
    serde_json::to_string(text).unwrap_or_default()
}

fn fields(content_type: &str, bytes: &[u8]) -> String {
    let (kind, data) = (quoted(content_type), STANDARD.encode(bytes));
    format!("\"content_type\":{kind},\"data_base64\":\"{data}\"")
}
