//! What the API description says of `_changes`.

use kvs_client::{Change, JSON_CONTENT_TYPE, Page};
use utoipa::openapi::path::OperationBuilder;

use crate::http::listing::MOST_ITEMS;
use crate::http::openapi::describe::{Describe, answer, count, reference, text};
use crate::http::sse;

const SAID: &str = "With `since` or `until`: what changed in that span, in the order of time. \
    Without: in this node's commit order, from the beginning or `after` a cursor; then there is a \
    field `cursor` beside `items` and `next`, to be given as `after` once more may have happened. \
    Of several changes of a key only the last shows. Deletes and expiries are included. As a stream \
    of server-sent events the changes come as they happen, from now on or after `Last-Event-ID` or \
    `after`: events `put`, `delete`, `expire` and `metadata` whose data is a change in one line, \
    and `reset` if the cursor is not known here any more; blocks of an `id` alone say how far the \
    node has looked. A reader that is too far behind is cut off and may resume.";

/// `_changes`.
pub(in crate::http) fn changes(operation: OperationBuilder) -> OperationBuilder {
    let bodies =
        [(JSON_CONTENT_TYPE, reference::<Page<Change>>()), (sse::CONTENT_TYPE, text().into())];
    let time = "Unix milliseconds or RFC 3339, for example 2026-01-31T12:00:00Z.";
    operation
        .query("since", text(), &format!("The first instant of the span: {time}"))
        .query("until", text(), &format!("The first instant after the span: {time}"))
        .query("limit", count(1, MOST_ITEMS), "The most items of a page; 100 without it.")
        .query("after", text(), "The `next` of the page before, or a change's `cursor`.")
        .header("Last-Event-ID", text(), "Of a stream: where to resume; more than `after`.")
        .answers_with(200, answer(SAID, &bodies))
        .refuses(&[409])
}
