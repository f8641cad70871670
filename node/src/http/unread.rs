//! What is left of a request's body when its answer is ready: refused before it was read, or too large.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use http::header::{CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Version};
use http_body_util::BodyExt as _;

/// How much is read to spare the connection: what a client has sent before it looks for an answer.
const SHORT: u64 = 64 << 10;
/// How long is waited for it: it is on its way, or its client is one that does not send it.
const SOON: Duration = Duration::from_secs(5);

/// Whether the connection can take another request once a body has been read to its end.
pub(super) struct Unread {
    version: Version,
    /// The client waits for a word before it sends the body, and what it is told is the answer.
    waits: bool,
}

impl Unread {
    pub(super) fn of(head: &Parts) -> Self {
        Self { version: head.version, waits: head.headers.contains_key(EXPECT) }
    }

    /// Reads what is left of `body` if it is short and comes in time. A client that is still sending
    /// when the connection is closed may never see its answer; and one that is not told that it will
    /// be closed sends its next request into nothing.
    /// In HTTP/2 an answer ends its request and nothing else.
    pub(super) async fn settle(&self, body: &mut Body, answer: &mut Response<Body>) {
        if body.is_end_stream() || self.version >= Version::HTTP_2 {
            return;
        }
        let waits = self.waits || answer.status() == StatusCode::REQUEST_TIMEOUT;
        let spared = !waits && tokio::time::timeout(SOON, read(body)).await.unwrap_or(false);
        if !spared {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Whether the body ended before it became long.
async fn read(body: &mut Body) -> bool {
    let mut left = SHORT;
    while body.size_hint().lower() <= left {
        match body.frame().await {
            None => return true,
            Some(Err(_broken)) => return false,
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(rest) = left.checked_sub(length) else { return false };
                left = rest;
            }
        }
    }
    false
}
