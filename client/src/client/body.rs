//! The bodies of requests.

use reqwest::{
    Body, RequestBuilder,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{ClientError, JSON_CONTENT_TYPE, Value};

pub(super) fn with_value(
    request: RequestBuilder,
    value: Value,
) -> Result<RequestBuilder, ClientError> {
    let (content_type, data) = match value {
        Value::Json(text) => (HeaderValue::from_static(JSON_CONTENT_TYPE), json_body(text)),
        Value::Bytes { content_type, data } => (header(content_type)?, Body::from(data)),
    };
    Ok(request.header(CONTENT_TYPE, content_type).body(data))
}

fn json_body(text: Box<RawValue>) -> Body {
    Body::from(String::from(Box::<str>::from(text)))
}

fn header(value: String) -> Result<HeaderValue, ClientError> {
    HeaderValue::try_from(&value)
        .map_err(|_invalid| ClientError::Header { name: "content-type", value })
}

pub(super) fn json<T: Serialize>(
    request: RequestBuilder,
    body: &T,
) -> Result<RequestBuilder, ClientError> {
    json_as(request, JSON_CONTENT_TYPE, body)
}

pub(super) fn json_as<T: Serialize + ?Sized>(
    request: RequestBuilder,
    content_type: &'static str,
    body: &T,
) -> Result<RequestBuilder, ClientError> {
    let text = serde_json::to_vec(body).map_err(ClientError::Body)?;
    Ok(request.header(CONTENT_TYPE, content_type).body(text))
}
