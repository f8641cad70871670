//! Many operations in one request, with one flush.
//!
//! Items borrow from the body, and values are slices of it: nothing is copied on the way to the
//! writer.

mod answer;
mod plan;

use kvs_client::{BatchRequest, BatchResponse};
use kvs_core::decide::Expiry;
use kvs_core::{Command, Key, RecordId};
use utoipa::openapi::path::OperationBuilder;

use super::openapi::describe::Describe as _;
use super::{Answer, Call, Problem, body, mode, value};
use crate::writer::{Write, WriteResult};
use plan::{Change, Planned};

/// `POST /kv/_batch`.
pub(super) async fn carry_out(call: Call) -> Answer {
    call.query.finish(&[])?;
    body::expect_json(&call, &[], "application/json")?;
    let (node, text) = (call.node.clone(), call.body.clone());
    let planned = move || plan::of_body(&text, node.settings());
    let planned = value::off_thread(call.body.len(), planned).await??;
    let (steps, writes) = steps(&call, planned).await?;
    let results = if writes.is_empty() {
        Vec::new()
    } else {
        call.node.write_for(call.caller.subject(), writes).await?
    };
    answer::of(&call, pair(steps, results)?).await
}

/// What is left to do for an item once all writes are under way.
enum Step {
    Get(Key),
    Write { is_delete: bool },
    Refused(Problem),
}

/// What is left to do for an item once all writes are done.
enum Done {
    Get(Key),
    Put(WriteResult),
    Deleted(WriteResult),
    Refused(Problem),
}

/// Parts the writes from the rest, in order.
async fn steps(
    call: &Call,
    planned: Vec<Result<Planned, Problem>>,
) -> Result<(Vec<Step>, Vec<Write>), Problem> {
    let mut steps = Vec::with_capacity(planned.len());
    let mut writes = Vec::with_capacity(planned.len());
    for item in planned {
        steps.push(match item {
            Err(problem) => Step::Refused(problem),
            Ok(Planned::Get(key)) => Step::Get(key),
            Ok(Planned::Change(key, change)) => {
                if let Err(problem) = mode::check_write(&call.node) {
                    Step::Refused(problem)
                } else {
                    let is_delete = matches!(change, Change::Delete { .. });
                    writes.push(write(call, key, change).await?);
                    Step::Write { is_delete }
                }
            }
        });
    }
    Ok((steps, writes))
}

async fn write(call: &Call, key: Key, change: Change) -> Result<Write, Problem> {
    let uuid = value::new_version_id();
    let command = match change {
        Change::Delete { condition } => Command::Delete { condition, uuid },
        Change::Put { body, ttl, condition } => {
            let ttl = match ttl {
                Some(ttl) => Some(ttl),
                None => call.node.default_ttl(&key).await?,
            };
            let expiry = ttl.map_or(Expiry::Never, Expiry::After);
            let author = call.caller.user();
            Command::Put { body, expiry, condition, uuid, author }
        }
    };
    Ok(Write { record: RecordId::value(key), command })
}

fn pair(steps: Vec<Step>, results: Vec<WriteResult>) -> Result<Vec<Done>, Problem> {
    let mut results = results.into_iter();
    let mut result = || {
        let missing = || Problem::Internal("a write of a batch has no result".to_owned());
        results.next().ok_or_else(missing)
    };
    let done = steps.into_iter().map(|step| {
        Ok(match step {
            Step::Get(key) => Done::Get(key),
            Step::Refused(problem) => Done::Refused(problem),
            Step::Write { is_delete: true } => Done::Deleted(result()?),
            Step::Write { is_delete: false } => Done::Put(result()?),
        })
    });
    done.collect()
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
