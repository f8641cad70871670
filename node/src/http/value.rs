//! Values on their way in and out: content types, sizes, JSON, and the two shapes of an answer.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body as HttpBody;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use kvs_config::Settings;
use kvs_core::value::{ContentType, Value};
use kvs_core::{Body, UnixMillis, Version, VersionId, json};
use uuid::Uuid;

use super::body::{essence, is_form, refuse_encoded};
use super::{Answer, Call, Problem};
use crate::node::ReadError;
use crate::writer::Receipt;

/// Bodies up to this size are worked on at once: that takes less time than handing them to another
/// thread. Larger ones would hold up the requests that share the thread.
const AT_ONCE: usize = 64 << 10;

/// The last second that an HTTP date can name, 9999-12-31T23:59:59Z (RFC 9110, 5.6.7).
const LAST_HTTP_DATE: u64 = 253_402_300_799;

/// An identity for a new version.
pub(super) fn new_version_id() -> VersionId {
    VersionId::new(Uuid::new_v4())
}

/// The value that a request carries as its whole body.
pub(super) async fn from_request(call: &Call) -> Result<Value, Problem> {
    refuse_encoded(call)?;
    let content_type = content_type(call)?;
    let (node, body) = (call.node.clone(), call.body.clone());
    off_thread(body.len(), move || build(node.settings(), content_type, body)).await?
}

/// Runs work on as many bytes here, or elsewhere if it would take long.
pub(super) async fn off_thread<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if size <= AT_ONCE {
        return Ok(work());
    }
    Ok(tokio::task::spawn_blocking(work).await.map_err(ReadError::from)?)
}

/// A value of these bytes, checked against the limits and compressed as the settings say.
pub(super) fn build(
    settings: &Settings,
    content_type: ContentType,
    bytes: Bytes,
) -> Result<Value, Problem> {
    check_size(settings, bytes.len())?;
    if content_type.is_json() {
        json::check(&bytes, settings.limits.json_depth)?;
    }
    Ok(compressed(settings, content_type, bytes))
}

/// A value of bytes that were checked.
pub(super) fn compressed(settings: &Settings, content_type: ContentType, bytes: Bytes) -> Value {
    if settings.compression_enabled {
        Value::compressed(content_type, bytes, settings.compression_level)
    } else {
        Value::plain(content_type, bytes)
    }
}

/// Refuses a value that is larger than allowed.
pub(super) fn check_size(settings: &Settings, size: usize) -> Result<(), Problem> {
    let limit = settings.limits.value_size.as_len();
    if size > limit { Err(Problem::TooLarge { what: "value", limit }) } else { Ok(()) }
}

/// What the body of a request is. JSON if it does not say, or says what curl says unasked.
fn content_type(call: &Call) -> Result<ContentType, Problem> {
    match call.header(CONTENT_TYPE.as_str())? {
        None => Ok(ContentType::JSON),
        Some(text) if is_form(text) => Ok(ContentType::JSON),
        Some(text) => Ok(ContentType::parse(text)?),
    }
}

/// How a value is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// In JSON, with uuid and timestamp.
    Envelope,
    /// As it was sent.
    Raw,
}

/// Answers a version of a value, unless the client has it already.
pub(super) fn answer(version: &Version, shape: Shape, asked: &HeaderMap) -> Answer {
    let Body::Value(value) = &version.body else {
        return Err(Problem::Internal(format!("version {} is no value", version.uuid)));
    };
    let tag = tag(version.uuid);
    let body = if is_known(&tag, version.stamp.millis(), asked) {
        None
    } else {
        Some(body(version.uuid, version.stamp.millis(), value, shape)?)
    };
    let status = if body.is_some() { StatusCode::OK } else { StatusCode::NOT_MODIFIED };
    let mut response = Response::new(body.map_or_else(HttpBody::empty, HttpBody::from));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if status == StatusCode::OK {
        describe_body(headers, &value.content_type, shape);
    }
    headers.insert(ETAG, tag);
    headers.insert(LAST_MODIFIED, http_date(version.stamp.millis()));
    // Caches may keep it and must ask: whoever reads after a write sees it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn body(uuid: VersionId, at: UnixMillis, value: &Value, shape: Shape) -> Result<Bytes, Problem> {
    match shape {
        Shape::Raw => bytes(uuid, value),
        Shape::Envelope => {
            let mut out = Vec::with_capacity(value.len() + 96);
            out.push(b'{');
            write_members(&mut out, uuid, at, value)?;
            out.push(b'}');
            Ok(out.into())
        }
    }
}

fn describe_body(headers: &mut HeaderMap, content_type: &ContentType, shape: Shape) {
    if shape == Shape::Envelope {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return;
    }
    let kind = HeaderValue::from_str(content_type.as_str());
    let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, kind);
    // A stored page must not be able to act as one of ours.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    if !content_type.is_json() && !essence(content_type.as_str()).eq_ignore_ascii_case("text/plain")
    {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
}

/// Writes `"uuid":…,"timestamp":…` and the value's members of a JSON object.
pub(super) fn write_members(
    out: &mut Vec<u8>,
    uuid: VersionId,
    at: UnixMillis,
    value: &Value,
) -> Result<(), Problem> {
    write_identity(out, uuid, at);
    out.push(b',');
    write_value(out, uuid, value)
}

/// Writes `"uuid":…,"timestamp":…`.
pub(super) fn write_identity(out: &mut Vec<u8>, uuid: VersionId, at: UnixMillis) {
    out.extend_from_slice(b"\"uuid\":\"");
    let mut text = Uuid::encode_buffer();
    out.extend_from_slice(uuid.uuid().hyphenated().encode_lower(&mut text).as_bytes());
    out.extend_from_slice(b"\",\"timestamp\":");
    // Writing to memory cannot fail.
    let _ = write!(out, "{at}");
}

/// Writes `"data":…` with the JSON as it was sent, or `"content_type":…,"data_base64":…`.
pub(super) fn write_value(
    out: &mut Vec<u8>,
    uuid: VersionId,
    value: &Value,
) -> Result<(), Problem> {
    let bytes = bytes(uuid, value)?;
    if value.content_type.is_json() {
        out.extend_from_slice(b"\"data\":");
        out.extend_from_slice(&bytes);
    } else {
        let kind = serde_json::Value::from(value.content_type.as_str());
        let base64 = STANDARD.encode(&bytes);
        // Writing to memory cannot fail.
        let _ = write!(out, "\"content_type\":{kind},\"data_base64\":\"{base64}\"");
    }
    Ok(())
}

fn bytes(uuid: VersionId, value: &Value) -> Result<Bytes, Problem> {
    value.bytes().map_err(|error| Problem::Damaged(format!("version {uuid}: {error}")))
}

/// The answer to a write.
pub(super) fn written(receipt: &Receipt, status: StatusCode) -> Response<HttpBody> {
    let mut out = Vec::with_capacity(96);
    out.push(b'{');
    write_identity(&mut out, receipt.uuid, receipt.stamp.millis());
    out.push(b'}');
    let mut response = Response::new(HttpBody::from(out));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ETAG, tag(receipt.uuid));
    response
}

/// The entity tag of a version.
pub(super) fn tag(uuid: VersionId) -> HeaderValue {
    let mut text = [b'"'; 38];
    uuid.uuid().hyphenated().encode_lower(&mut text[1..37]);
    // Hexadecimal digits and dashes between quotes: always a header.
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the client has this version already (RFC 9110, 13.1.2 and 13.1.3). A tag that is none of
/// ours is of another version, and a date that is none says nothing.
fn is_known(tag: &HeaderValue, at: UnixMillis, asked: &HeaderMap) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        let lines = asked.get_all(IF_NONE_MATCH).iter();
        return lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).any(|known| {
            let known = known.trim_ascii();
            known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes()
        });
    }
    let Some(since) = asked.get(IF_MODIFIED_SINCE) else { return false };
    let since = since.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok());
    since.is_some_and(|since| whole_seconds(at) <= since)
}

fn http_date(at: UnixMillis) -> HeaderValue {
    let text = httpdate::fmt_http_date(whole_seconds(at));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

/// HTTP dates know neither fractions of a second nor the year 10000.
fn whole_seconds(at: UnixMillis) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs((at.0 / 1000).min(LAST_HTTP_DATE))
}
