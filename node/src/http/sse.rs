//! `_changes` as server-sent events: history after a cursor, then what happens.
//!
//! A stream holds no queue. Whenever its connection has room, it reads the log from where it stands,
//! so that all a slow reader keeps is its place in the log, and at most one chunk of text of up to
//! `stream_backlog` bytes. A reader that stops taking bytes at all is dropped with its connection.

mod block;
mod feed;

use axum::body::Body;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response};
use kvs_client::Reset;
use kvs_core::Prefix;

use self::feed::Feed;
use super::changes::{position, refuse_list_parameters};
use super::page::answer;
use super::{Answer, Call, Problem};
use crate::records::{Cursor as _, Position};

/// The media type of server-sent events.
pub(super) const CONTENT_TYPE: &str = "text/event-stream";

const RESET: &str = "the store does not know this cursor any more, so changes may have been missed";

/// Opens a stream.
pub(super) fn open(mut call: Call, prefix: Prefix) -> Answer {
    let resumed = call.header("last-event-id")?.map(str::to_owned);
    let after = call.query.take("after");
    refuse_list_parameters(&mut call.query)?;
    if call.node.stopping().is_cancelled() {
        return Err(Problem::Stopping);
    }
    // A browser comes back to the same URL: its header knows more than the parameter.
    let given = |text: &String| !text.is_empty();
    let at = match (resumed.filter(given), after.filter(given)) {
        // What the browser kept cannot be mended by its page: a text that is no cursor of ours is
        // one that is not known.
        (Some(text), _) => position(&call.node, &text).or_else(unknown)?,
        (None, Some(text)) => position(&call.node, &text)?,
        (None, None) => Some(call.node.present_position()),
    };
    let (at, opening) = begin(&call, at);
    let place = call.shared.streams.take(call.peer)?;
    let feed = Feed::new(call, prefix, at, opening, place);
    Ok(of_events(Body::from_stream(feed.into_stream())))
}

/// Where the stream begins, and what it says first.
///
/// Nothing is a place that the store does not know: the stream begins anew and says so.
fn begin(call: &Call, at: Option<Position>) -> (Position, String) {
    if let Some(at) = at {
        return (at, block::at(&at));
    }
    let at = call.node.first_position();
    let reset = Reset { reason: RESET.to_owned(), cursor: at.to_text() };
    (at, block::event("reset", &at, &reset))
}

fn unknown(problem: Problem) -> Result<Option<Position>, Problem> {
    if matches!(problem, Problem::Cursor(_)) { Ok(None) } else { Err(problem) }
}

fn of_events(body: Body) -> Response<Body> {
    let mut response = answer(CONTENT_TYPE, body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
