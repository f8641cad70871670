//! Merge patches (RFC 7396): read, change, and write only over what was read.

use bytes::Bytes;
use http::StatusCode;
use kvs_config::Settings;
use kvs_core::decide::{Condition, Expiry};
use kvs_core::value::{ContentType, Value};
use kvs_core::{Body, Command, Key, RecordId, Rejection, Version, json};

use super::{ATTEMPTS, condition, current, submit};
use crate::http::permit::{self, Wants};
use crate::http::{Answer, Call, Problem, body, value};
use crate::writer::Write;

/// `PATCH`.
pub(in crate::http) async fn patch(call: Call, key: Key) -> Answer {
    call.query.finish(&[])?;
    let condition = condition::of_request(&call)?;
    body::expect_json(
        &call,
        &["application/merge-patch+json"],
        "application/merge-patch+json or application/json",
    )?;
    json::check(&call.body, call.node.settings().limits.json_depth)?;
    for _ in 0..ATTEMPTS {
        let version = current(&call, &key).await?;
        let guard = permit::put(&call, &key, Wants { read: true, ..Wants::default() }).await?;
        if !condition.holds(Some(version.uuid)) {
            return Err(Problem::Precondition(Some(version.uuid)));
        }
        let same = Condition::Is(vec![version.uuid]);
        let patched = Body::Value(patched(&call, version).await?);
        let (uuid, author, expiry) =
            (value::new_version_id(), call.caller.user(), Expiry::Keep(None));
        let command = Command::Put { body: patched, expiry, condition: same, uuid, author };
        let record = RecordId::value(key.clone());
        match submit(&call, Write { record, command: command.guarded(guard) }).await? {
            Ok(receipt) => return Ok(value::written(&receipt, StatusCode::OK)),
            Err(Rejection::Condition { .. } | Rejection::Absent(_) | Rejection::Moved) => {}
        }
    }
    Err(Problem::Contended)
}

async fn patched(call: &Call, version: Version) -> Result<Value, Problem> {
    let Body::Value(stored) = version.body else {
        return Err(Problem::Internal(format!("version {} is no value", version.uuid)));
    };
    if !stored.content_type.is_json() {
        let kind = stored.content_type.as_str();
        let reason = format!("what is stored is {kind}, and a merge patch changes JSON alone; PUT");
        return Err(Problem::Content(format!("{reason} writes the key whole")));
    }
    let (node, patch) = (call.node.clone(), call.body.clone());
    let size = stored.len() + patch.len();
    value::off_thread(size, move || merge(node.settings(), &stored, &patch)).await?
}

fn merge(settings: &Settings, stored: &Value, patch: &Bytes) -> Result<Value, Problem> {
    let target = stored.bytes().map_err(|error| Problem::Damaged(error.to_string()))?;
    // Stored JSON was checked when it came, the patch above.
    let text = |bytes| str::from_utf8(bytes).map_err(|error| Problem::Damaged(error.to_string()));
    let merged = json::merge_patch(Some(text(&target)?), text(patch)?)?;
    let merged = String::from(Box::<str>::from(merged));
    value::build(settings, ContentType::JSON, merged.into())
}
