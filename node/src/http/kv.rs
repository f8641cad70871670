//! Single keys: read, write, patch, delete.

pub(super) mod condition;
pub(super) mod describe;
mod patch;
pub(super) mod ttl;

use axum::body::Body as HttpBody;
use http::header::CONTENT_RANGE;
use http::{Response, StatusCode};
use kvs_core::decide::{Condition, Expiry};
use kvs_core::{Body, Command, Key, RecordId, Rejection, Version, VersionId};

use super::permit::{self, Wants};
use super::value::{self, Shape};
use super::{Answer, Call, Problem, denial};
use crate::writer::{Applied, Receipt, Refused, Write};

pub(super) use patch::patch;

/// How often a change that was computed from a version is computed again when that version turns
/// out to be old. Each time means that somebody else's change was made, so nobody waits in vain.
pub(super) const ATTEMPTS: usize = 16;

/// `GET` and `HEAD`.
pub(super) async fn read(mut call: Call, key: Key) -> Answer {
    let shape = if call.query.take_switch("raw")? { Shape::Raw } else { Shape::Envelope };
    let revision = call.query.take("revision");
    call.query.finish(&["raw", "revision"])?;
    let version = match revision {
        None => current(&call, &key).await?,
        Some(text) => revision_named(&call, key, &text).await?,
    };
    value::answer(&version, shape, &call.headers)
}

async fn revision_named(call: &Call, key: Key, text: &str) -> Result<Version, Problem> {
    let uuid: VersionId = text.parse().map_err(|_text| {
        Problem::query("revision", "must be the uuid of a version, as _history lists them")
    })?;
    let version = super::history::revision(call, key, uuid).await?;
    alive(call, version)
}

/// `PUT`.
pub(super) async fn write(mut call: Call, key: Key) -> Answer {
    let ttl = ttl::of_request(&mut call)?;
    call.query.finish(&["ttl"])?;
    if call.headers.contains_key(CONTENT_RANGE) {
        let reason = "parts of a value cannot be written; send it whole, or PATCH".to_owned();
        return Err(Problem::Header { name: "content-range", reason });
    }
    let condition = condition::of_request(&call)?;
    let body = Body::Value(value::from_request(&call).await?);
    // A life that nobody asked for ends a value just as well.
    let ttl = match ttl {
        Some(ttl) => Some(ttl),
        None => call.node.default_ttl(&key).await?,
    };
    let wants = Wants { ttl, ..Wants::of(&condition) };
    let expiry = ttl.map_or(Expiry::Never, Expiry::After);
    let receipt = put_permitted(&call, &key, wants, body, expiry, condition).await?;
    let status = if receipt.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(value::written(&receipt, status))
}

/// `DELETE`.
pub(super) async fn delete(call: Call, key: Key) -> Answer {
    call.query.finish(&[])?;
    let condition = condition::of_request(&call)?;
    delete_permitted(&call, key, condition).await?;
    let mut response = Response::new(HttpBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

async fn delete_permitted(call: &Call, key: Key, condition: Condition) -> Result<(), Problem> {
    let wants = Wants::of(&condition);
    for _ in 0..ATTEMPTS {
        let guard = permit::delete(call, &key, wants).await?;
        let uuid = value::new_version_id();
        let command = Command::Delete { condition: condition.clone(), uuid }.guarded(guard);
        match submit(call, Write { record: RecordId::value(key.clone()), command }).await? {
            Err(Rejection::Moved) => {}
            Err(rejection) => return Err(rejection.into()),
            Ok(_) => return Ok(()),
        }
    }
    Err(Problem::Contended)
}

/// The version of a value that is there now, if the caller may know of it.
pub(super) async fn current(call: &Call, key: &Key) -> Result<Version, Problem> {
    if let Some(version) = call.node.newest(&call.caller, key).await? {
        return alive(call, version);
    }
    denial::note_if_hidden(call, key).await;
    Err(Problem::Absent(kvs_core::Absence::NeverWritten))
}

/// The version, if it is neither a tombstone nor expired.
fn alive(call: &Call, version: Version) -> Result<Version, Problem> {
    match version.head().absence(call.node.now()) {
        Some(absence) => Err(Problem::Absent(absence)),
        None => Ok(version),
    }
}

/// Writes a value in the caller's name, if they may. What was permitted of one owner's key is asked
/// again where it turns out to be another's by now.
pub(super) async fn put_permitted(
    call: &Call,
    key: &Key,
    wants: Wants,
    body: Body,
    expiry: Expiry,
    condition: Condition,
) -> Result<Receipt, Problem> {
    for _ in 0..ATTEMPTS {
        let guard = permit::put(call, key, wants).await?;
        let (uuid, author) = (value::new_version_id(), call.caller.user());
        let (body, condition) = (body.clone(), condition.clone());
        let command = Command::Put { body, expiry, condition, uuid, author }.guarded(guard);
        match submit(call, Write { record: RecordId::value(key.clone()), command }).await? {
            Err(Rejection::Moved) => {}
            done => return Ok(done?),
        }
    }
    Err(Problem::Contended)
}

/// Writes a body in the caller's name, who may. The outer error is of the store, the inner one of the record.
pub(super) async fn put(
    call: &Call,
    record: RecordId,
    body: Body,
    expiry: Expiry,
    condition: Condition,
) -> Result<Result<Receipt, Rejection>, Problem> {
    let (uuid, author) = (value::new_version_id(), call.caller.user());
    let command = Command::Put { body, expiry, condition, uuid, author };
    submit(call, Write { record, command }).await
}

/// Has one write carried out.
pub(super) async fn submit(
    call: &Call,
    write: Write,
) -> Result<Result<Receipt, Rejection>, Problem> {
    let results = call.node.write_for(call.caller.subject(), vec![write]).await?;
    match results.into_iter().next() {
        Some(Ok(Applied::Committed(receipt))) => Ok(Ok(receipt)),
        Some(Err(Refused::Rejected(rejection))) => Ok(Err(rejection)),
        Some(Err(refused @ Refused::Damaged)) => Err(refused.into()),
        Some(Ok(Applied::Lost(_) | Applied::Known)) | None => {
            Err(Problem::Internal("a write of this node was not committed".to_owned()))
        }
    }
}
