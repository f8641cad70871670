//! `GET /kv/{prefix}/_changes`: what changed, by time or in commit order; [`super::sse`] keeps it
//! open.

pub(super) mod describe;
mod span;

use kvs_client::{Change as ChangeView, ChangeOp, JSON_CONTENT_TYPE};
use kvs_core::Prefix;

use super::listing::{DEFAULT_ITEMS, MOST_ITEMS};
use super::page::{PageBody, answer};
use super::query::Query;
use super::{Answer, Call, Problem, sse};
use crate::node::Node;
use crate::records::{Change, Cursor, Operation, Page, Position, TimePosition, TimeRange};

/// Lists changes, or opens a stream of them.
pub(super) async fn changes(mut call: Call, prefix: Prefix) -> Answer {
    if call.accepts(sse::CONTENT_TYPE)? {
        return sse::open(call, prefix);
    }
    let limit = call.query.take_count("limit", MOST_ITEMS)?.unwrap_or(DEFAULT_ITEMS);
    let range = span::take(&mut call.query)?;
    let after = call.query.take("after");
    call.query.finish(&["since", "until", "limit", "after"])?;
    match range {
        Some(range) => between(call, prefix, range, after.as_deref(), limit).await,
        None => in_commit_order(call, prefix, after.as_deref(), limit).await,
    }
}

async fn between(
    call: Call,
    prefix: Prefix,
    range: TimeRange,
    after: Option<&str>,
    limit: usize,
) -> Answer {
    let after = after.map(TimePosition::from_text).transpose()?;
    let answer_size = call.node.settings().limits.answer_size.as_len();
    let body = call.node.view(&call.caller, move |view| {
        let page = view.changes_between(&prefix, range, after.as_ref(), limit)?;
        let (body, cut) = write(&page, answer_size);
        Ok(body.finish(cut.or(page.next).as_ref()))
    });
    Ok(answer(JSON_CONTENT_TYPE, body.await?))
}

async fn in_commit_order(call: Call, prefix: Prefix, after: Option<&str>, limit: usize) -> Answer {
    let from = match after {
        None => call.node.first_position(),
        Some(text) => position(&call.node, text)?.ok_or(Problem::CursorUnknown)?,
    };
    let answer_size = call.node.settings().limits.answer_size.as_len();
    let body = call.node.view(&call.caller, move |view| {
        let (page, more) = view.changes_after(&prefix, from, limit)?;
        let (body, cut) = write(&page, answer_size);
        let at = cut.or(page.next).unwrap_or(from);
        let next = (more || cut.is_some()).then_some(at);
        Ok(body.finish_at(next.as_ref(), &at))
    });
    Ok(answer(JSON_CONTENT_TYPE, body.await?))
}

/// The position that a cursor names; nothing if the store does not know it any more.
pub(super) fn position(node: &Node, text: &str) -> Result<Option<Position>, Problem> {
    Ok(node.resume(Position::from_text(text)?)?)
}

/// Writes changes; says where to go on if not all of them fit.
fn write<P: Cursor + Clone + PartialEq>(
    page: &Page<Change<P>, P>,
    answer_size: usize,
) -> (PageBody, Option<P>) {
    let mut body = PageBody::new(answer_size);
    let mut last: Option<&P> = None;
    for change in &page.items {
        let item = view(change);
        if last == Some(&change.position) {
            // Expiries of one instant share a position: nobody could go on between them.
            body.force_json(&item);
        } else if !body.add_json(&item) {
            return (body, last.cloned());
        }
        last = Some(&change.position);
    }
    (body, None)
}

/// A change as the API tells it.
pub(super) fn view<P: Cursor>(change: &Change<P>) -> ChangeView {
    let head = &change.head;
    ChangeView {
        op: operation(change.operation),
        key: change.key.as_str().to_owned(),
        uuid: head.uuid.uuid(),
        timestamp: head.stamp.millis().0,
        origin: head.origin.node.uuid(),
        expires: head.expires_at.map(|at| at.0),
        cursor: change.position.to_text(),
    }
}

const fn operation(operation: Operation) -> ChangeOp {
    match operation {
        Operation::Put => ChangeOp::Put,
        Operation::Delete => ChangeOp::Delete,
        Operation::Expire => ChangeOp::Expire,
        Operation::Metadata => ChangeOp::Metadata,
    }
}

/// Refuses the parameters that only lists have.
pub(super) fn refuse_list_parameters(query: &mut Query) -> Result<(), Problem> {
    for name in ["since", "until", "limit"] {
        if query.take(name).is_some() {
            return Err(Problem::query(name, "is for lists; a stream goes on until it is closed"));
        }
    }
    query.finish(&["after"])
}
