//! The results of a batch, in the order of its items.

use std::io::Write as _;

use http::StatusCode;
use kvs_core::{Body, Key, Right};

use super::Done;
use crate::http::openapi::describe::JSON;
use crate::http::{Answer, Call, Problem, denial, page, value};
use crate::records::View;
use crate::writer::{Applied, WriteResult};

/// Bytes of a typical result, for the first allocation.
const TYPICAL: usize = 112;

/// Answers a batch whose writes are done.
pub(super) async fn of(call: &Call, items: Vec<Done>) -> Answer {
    let limit = call.node.settings().limits.answer_size.as_len();
    let text = if items.iter().any(|item| matches!(item, Done::Get(_))) {
        let write = move |view: &View<'_>| {
            let mut hidden = Vec::new();
            let text = text(Some(view), items, limit, &mut hidden);
            Ok((text, hidden))
        };
        let (text, hidden) = call.node.view(&call.caller, write).await?;
        for key in &hidden {
            denial::note_hidden(call, key, Right::Read);
        }
        text
    } else {
        text(None, items, limit, &mut Vec::new())
    };
    Ok(page::answer(JSON, text))
}

/// Writes all results; what the caller may not see is told by its key.
fn text(view: Option<&View<'_>>, items: Vec<Done>, limit: usize, hidden: &mut Vec<Key>) -> Vec<u8> {
    let mut out = Vec::with_capacity(12 + items.len() * TYPICAL);
    out.extend_from_slice(b"{\"items\":[");
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        add(&mut out, view, item, limit, hidden);
    }
    out.extend_from_slice(b"]}");
    out
}

/// Adds a result; what it would be if it cannot be had or has no room, is a problem.
fn add(
    out: &mut Vec<u8>,
    view: Option<&View<'_>>,
    item: Done,
    limit: usize,
    hidden: &mut Vec<Key>,
) {
    let start = out.len();
    let is_get = matches!(item, Done::Get(_));
    let mut result = write(out, view, item, limit, hidden);
    if is_get && out.len() > limit {
        result = Err(Problem::TooLarge { what: "answer", limit });
    }
    if let Err(problem) = result {
        out.truncate(start);
        write_problem(out, &problem);
    }
}

fn write(
    out: &mut Vec<u8>,
    view: Option<&View<'_>>,
    item: Done,
    limit: usize,
    hidden: &mut Vec<Key>,
) -> Result<(), Problem> {
    match item {
        Done::Refused(problem) => Err(problem),
        // Not even worth reading.
        Done::Get(_) if out.len() >= limit => Err(Problem::TooLarge { what: "answer", limit }),
        Done::Get(key) => read(out, view, key, hidden),
        Done::Deleted(result) => {
            result?;
            write_status(out, StatusCode::NO_CONTENT);
            out.push(b'}');
            Ok(())
        }
        Done::Put(result) => write_receipt(out, result),
    }
}

fn read(
    out: &mut Vec<u8>,
    view: Option<&View<'_>>,
    key: Key,
    hidden: &mut Vec<Key>,
) -> Result<(), Problem> {
    let view = view.ok_or_else(|| Problem::Internal("a batch has no view to read".to_owned()))?;
    let version = match view.current(&key)? {
        Ok(version) => version,
        Err(absence) => {
            if view.hides(&key) {
                hidden.push(key);
            }
            return Err(Problem::Absent(absence));
        }
    };
    let Body::Value(value) = &version.body else {
        return Err(Problem::Internal(format!("version {} is no value", version.uuid)));
    };
    write_status(out, StatusCode::OK);
    out.push(b',');
    value::write_members(out, version.uuid, version.stamp.millis(), value)?;
    out.push(b'}');
    Ok(())
}

fn write_receipt(out: &mut Vec<u8>, result: WriteResult) -> Result<(), Problem> {
    let Applied::Committed(receipt) = result? else {
        return Err(Problem::Internal("a write of this node was not committed".to_owned()));
    };
    write_status(out, if receipt.created { StatusCode::CREATED } else { StatusCode::OK });
    out.push(b',');
    value::write_identity(out, receipt.uuid, receipt.stamp.millis());
    out.push(b'}');
    Ok(())
}

/// Begins a result.
fn write_status(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"{\"status\":");
    out.extend_from_slice(status.as_str().as_bytes());
}

fn write_problem(out: &mut Vec<u8>, problem: &Problem) {
    if let Problem::Damaged(error) | Problem::Internal(error) = problem {
        tracing::error!(error, "an item of a batch failed");
    }
    write_status(out, problem.status());
    // Writing plain strings and numbers to memory cannot fail.
    let _ = write!(out, ",\"problem\":");
    let _ = serde_json::to_writer(&mut *out, &problem.view(None));
    out.push(b'}');
}
