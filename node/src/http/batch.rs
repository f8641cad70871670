//! Many operations in one request, with one flush.
//!
//! Items borrow from the body, and values are slices of it: nothing is copied on the way to the
//! writer.

mod answer;
mod plan;

use std::collections::HashSet;

use kvs_client::{BatchRequest, BatchResponse};
use kvs_core::decide::Expiry;
use kvs_core::{Command, Key, RecordId, Rejection};
use utoipa::openapi::path::OperationBuilder;

use super::openapi::describe::Describe as _;
use super::permit::{self, Wants};
use super::{Answer, Call, Problem, body, kv, mode, rate, value};
use crate::writer::{Refused, Write, WriteResult};
use plan::{Change, Planned};

/// `POST /kv/_batch`.
pub(super) async fn carry_out(call: Call) -> Answer {
    call.query.finish(&[])?;
    body::expect_json(&call, &[], "application/json")?;
    let (node, text) = (call.node.clone(), call.body.clone());
    let planned = move || plan::of_body(&text, node.settings());
    let planned = value::off_thread(call.body.len(), planned).await??;
    let mut items: Vec<Item> =
        planned.into_iter().map(|planned| Item::of(&call, planned)).collect();
    let writes = items.iter().filter(|item| matches!(item, Item::Waiting(..))).count();
    let standing = rate::take_batch(&call, items.len() - writes, writes)?;
    let mut tries = kv::ATTEMPTS;
    while let Some(moved) = round(&call, &mut items).await? {
        tries = tries.checked_sub(moved).ok_or(Problem::Contended)?;
    }
    let done = items.into_iter().map(Item::done).collect();
    let mut answer = answer::of(&call, done).await?;
    if let Some(standing) = standing {
        rate::tell(&standing, answer.headers_mut());
    }
    Ok(answer)
}

/// An item on its way.
enum Item {
    /// What it changes is still to be changed.
    Waiting(Key, Change),
    /// What is left comes with the answer.
    Done(Done),
}

/// What is left to do for an item once all writes are done.
enum Done {
    Get(Key),
    Put(WriteResult),
    Deleted(WriteResult),
    Refused(Problem),
}

impl Item {
    fn of(call: &Call, planned: Result<Planned, Problem>) -> Self {
        match planned {
            Err(problem) => Self::Done(Done::Refused(call.noting(problem, None))),
            Ok(Planned::Get(key)) => Self::Done(Done::Get(key)),
            Ok(Planned::Change(key, change)) => Self::Waiting(key, change),
        }
    }

    fn done(self) -> Done {
        match self {
            Self::Done(done) => done,
            Self::Waiting(..) => Done::Refused(Problem::Contended),
        }
    }
}

/// Carries out what waits, with one flush. Nothing once nothing waits; else 1 if somebody got in the
/// way. Of a caller who may not do everything, one write of each key at a time: who may do the next
/// one depends on it.
async fn round(call: &Call, items: &mut [Item]) -> Result<Option<usize>, Problem> {
    let (mut writes, mut places, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    let mut left = false;
    for (at, item) in items.iter_mut().enumerate() {
        let Item::Waiting(key, change) = item else { continue };
        if !call.caller.is_unlimited() && !seen.insert(key.clone()) {
            left = true;
            continue;
        }
        match prepare(call, key, change).await {
            Ok(write) => {
                writes.push(write);
                places.push((at, matches!(change, Change::Delete { .. })));
            }
            Err(problem) => *item = Item::Done(Done::Refused(call.noting(problem, Some(&*key)))),
        }
    }
    if writes.is_empty() {
        return Ok(left.then_some(0));
    }
    let mut moved = false;
    let results = call.node.write_for(call.caller.subject(), writes).await?;
    for ((at, is_delete), result) in places.into_iter().zip(results) {
        if matches!(result, Err(Refused::Rejected(Rejection::Moved))) {
            moved = true;
            continue;
        }
        items[at] = Item::Done(if is_delete { Done::Deleted(result) } else { Done::Put(result) });
    }
    Ok((left || moved).then_some(usize::from(moved)))
}

async fn prepare(call: &Call, key: &Key, change: &Change) -> Result<Write, Problem> {
    mode::check_write(&call.node)?;
    let uuid = value::new_version_id();
    let command = match change {
        Change::Delete { condition } => {
            let guard = permit::delete(call, key, Wants::of(condition)).await?;
            Command::Delete { condition: condition.clone(), uuid }.guarded(guard)
        }
        Change::Put { body, ttl, condition } => {
            let wants = Wants { ttl: *ttl, ..Wants::of(condition) };
            let guard = permit::put(call, key, wants).await?;
            let ttl = match ttl {
                Some(ttl) => Some(*ttl),
                None => call.node.default_ttl(key).await?,
            };
            let (body, condition) = (body.clone(), condition.clone());
            let expiry = ttl.map_or(Expiry::Never, Expiry::After);
            let author = call.caller.user();
            Command::Put { body, expiry, condition, uuid, author }.guarded(guard)
        }
    };
    Ok(Write { record: RecordId::value(key.clone()), command })
}

pub(super) fn describe(operation: OperationBuilder) -> OperationBuilder {
    let about = "Each item is checked and carried out on its own, and answered in its place with \
                 the status and body that a request of its own would have had. All puts and \
                 deletes are carried out first, in order and with one flush; then all gets are \
                 read. So a get sees every write of its batch, those behind it included. What no \
                 longer fits into the answer has status 413 and can be read on its own. Only a body \
                 that is no list of items, too large or too long is refused as a whole; then, and \
                 with any status but 200 and 500, nothing was written.";
    operation
        .description(Some(about))
        .takes_json::<BatchRequest>()
        .answers::<BatchResponse>(200, "A result for each item, in the same order.")
        .refuses(&[422])
}
