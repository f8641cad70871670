//! `GET /kv/{prefix}/_tree`: everything below a prefix, as a list, as nested objects, or in lines.

use axum::body::Body;
use http::Response;
use kvs_client::JSON_CONTENT_TYPE;
use kvs_core::Prefix;

use super::nested::Nested;
use super::rendered::{Rendered, item};
use crate::http::page::{END, PageBody, answer};
use crate::http::query::Query;
use crate::http::{Answer, Call, Problem};
use crate::records::{Cursor as _, Entry, ListPosition, Page, TreeBounds};
use crate::store::StoreError;

/// Items of a page if the request does not say.
pub(super) const DEFAULT_ITEMS: usize = 500;
/// The most items of a page.
pub(super) const MOST_ITEMS: usize = 5_000;
/// The most segments that a key has.
pub(super) const DEEPEST: usize = 64;
/// JSON values in lines.
pub(super) const LINES: &str = "application/x-ndjson";

/// What an answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Items,
    Nested,
    Lines,
}

/// Reads everything below a prefix.
pub(in crate::http) async fn read(mut call: Call, prefix: Prefix) -> Answer {
    let limit = call.query.take_count("limit", MOST_ITEMS)?.unwrap_or(DEFAULT_ITEMS);
    let after = super::after(&mut call.query, &prefix)?;
    let depth = call.query.take_count("depth", DEEPEST)?.unwrap_or(DEEPEST);
    let lines = call.accepts(LINES)?;
    let format = format(&mut call.query, lines)?;
    call.query.finish(&["limit", "after", "depth", "format"])?;
    let bytes = call.node.settings().limits.answer_size.as_len();
    let bounds = TreeBounds { limit, depth, bytes };
    let body = call.node.view(&call.caller, move |view| {
        let page = view.tree(&prefix, after.as_ref(), bounds)?;
        write(&prefix, &page, format, bytes)
    });
    Ok(of_format(format, body.await?))
}

fn format(query: &mut Query, lines: bool) -> Result<Format, Problem> {
    match query.take("format").as_deref() {
        None | Some("json") if lines => Ok(Format::Lines),
        None | Some("json") => Ok(Format::Items),
        Some("nested") if lines => {
            Err(Problem::query("format", "nested cannot be sent in lines; accept application/json"))
        }
        Some("nested") => Ok(Format::Nested),
        Some(_) => Err(Problem::query("format", "must be json or nested")),
    }
}

fn of_format(format: Format, body: Vec<u8>) -> Response<Body> {
    match format {
        Format::Lines => answer(LINES, body),
        Format::Items | Format::Nested => answer(JSON_CONTENT_TYPE, body),
    }
}

fn write(
    prefix: &Prefix,
    page: &Page<Entry, ListPosition>,
    format: Format,
    answer_size: usize,
) -> Result<Vec<u8>, StoreError> {
    match format {
        Format::Items => items(page, answer_size),
        Format::Nested => nested(prefix, page, answer_size),
        Format::Lines => lines(page, answer_size),
    }
}

fn items(page: &Page<Entry, ListPosition>, answer_size: usize) -> Result<Vec<u8>, StoreError> {
    let mut body = PageBody::new(answer_size);
    let mut last = None;
    for entry in &page.items {
        if !body.add(&item(entry, &Rendered::of(entry)?)) {
            return Ok(body.finish(last.as_ref()));
        }
        last = Some(ListPosition::after_value(&entry.key));
    }
    Ok(body.finish(page.next.as_ref()))
}

fn lines(page: &Page<Entry, ListPosition>, answer_size: usize) -> Result<Vec<u8>, StoreError> {
    let mut text = Vec::new();
    let mut next = page.next.clone();
    let mut last = None;
    for entry in &page.items {
        let line = item(entry, &Rendered::of(entry)?.compact());
        if !text.is_empty() && text.len() + line.len() + END > answer_size {
            next = last;
            break;
        }
        text.extend_from_slice(&line);
        text.push(b'\n');
        last = Some(ListPosition::after_value(&entry.key));
    }
    if let Some(next) = next {
        text.extend_from_slice(format!("{{\"next\":\"{}\"}}\n", next.to_text()).as_bytes());
    }
    Ok(text)
}

fn nested(
    prefix: &Prefix,
    page: &Page<Entry, ListPosition>,
    answer_size: usize,
) -> Result<Vec<u8>, StoreError> {
    let mut tree = Nested::new(prefix.depth(), answer_size.saturating_sub(END));
    let mut next = page.next.clone();
    let mut last = None;
    for entry in &page.items {
        if !tree.add(&entry.key, &Rendered::of(entry)?) {
            next = last;
            break;
        }
        last = Some(ListPosition::after_value(&entry.key));
    }
    let next = next.map_or_else(|| "null".to_owned(), |next| format!("\"{}\"", next.to_text()));
    let mut text = br#"{"tree":"#.to_vec();
    text.extend_from_slice(&tree.finish());
    text.extend_from_slice(format!(",\"next\":{next}}}").as_bytes());
    Ok(text)
}
