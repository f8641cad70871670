//! `GET /kv/{prefix}/_ls`: the direct children. [`tree`] has everything below.

pub(super) mod describe;
mod nested;
mod rendered;
pub(super) mod tree;

use kvs_client::{ItemMetadata, JSON_CONTENT_TYPE, ListItem};
use kvs_core::Prefix;

use super::page::{PageBody, answer};
use super::query::Query;
use super::{Answer, Call, Problem};
use crate::records::{BadCursor, Child, Cursor as _, ListPosition, Page, Summary};

/// Items of a page of `_ls` and `_changes` if the request does not say.
pub(super) const DEFAULT_ITEMS: usize = 100;
/// The most items of such a page.
pub(super) const MOST_ITEMS: usize = 1_000;

/// Lists the direct children of a prefix.
pub(super) async fn list(mut call: Call, prefix: Prefix) -> Answer {
    let limit = call.query.take_count("limit", MOST_ITEMS)?.unwrap_or(DEFAULT_ITEMS);
    let after = after(&mut call.query, &prefix)?;
    let metadata = call.query.take_switch("metadata")?;
    call.query.finish(&["limit", "after", "metadata"])?;
    let answer_size = call.node.settings().limits.answer_size.as_len();
    let body = call.node.view(&call.caller, move |view| {
        let page = view.children(&prefix, after.as_ref(), limit)?;
        Ok(write(&page, metadata, answer_size))
    });
    Ok(answer(JSON_CONTENT_TYPE, body.await?))
}

/// Takes `after`, the cursor of a list of `prefix`.
fn after(query: &mut Query, prefix: &Prefix) -> Result<Option<ListPosition>, Problem> {
    let Some(text) = query.take("after") else { return Ok(None) };
    let position = ListPosition::from_text(&text)?;
    if position.lies_in(prefix) { Ok(Some(position)) } else { Err(BadCursor.into()) }
}

fn write(page: &Page<Child, ListPosition>, metadata: bool, answer_size: usize) -> Vec<u8> {
    let mut body = PageBody::new(answer_size);
    let mut last = None;
    for child in &page.items {
        if !body.add_json(&item(child, metadata)) {
            return body.finish(last.as_ref());
        }
        last = Some(ListPosition::past(&child.key));
    }
    body.finish(page.next.as_ref())
}

fn item(child: &Child, metadata: bool) -> ListItem {
    ListItem {
        name: child.name().to_owned(),
        key: child.key.as_str().to_owned(),
        value: child.value.is_some(),
        children: child.children,
        metadata: child.value.as_ref().filter(|_| metadata).map(item_metadata),
    }
}

fn item_metadata(summary: &Summary) -> ItemMetadata {
    ItemMetadata {
        uuid: summary.head.uuid.uuid(),
        timestamp: summary.head.stamp.millis().0,
        created: summary.head.created_at.0,
        expires: summary.head.expires_at.map(|at| at.0),
        size: summary.size as u64,
        content_type: summary.content_type.as_str().to_owned(),
    }
}
