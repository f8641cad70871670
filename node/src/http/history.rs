//! Older versions of a key: list them, write one back.

use http::StatusCode;
use kvs_client::{self as api, Page, RestoreRequest, RevisionOp};
use kvs_core::decide::Expiry;
use kvs_core::{Absence, Body, Key, Right, Stamp, Superseded, UnixMillis, Version, VersionId};
use utoipa::openapi::path::OperationBuilder;

use super::kv::{self, condition};
use super::openapi::describe::{Describe as _, JSON, count, text};
use super::permit::{Restores, Wants};
use super::{Answer, Call, Problem, body, denial, page, value};
use crate::caller::Caller;
use crate::records::{Cursor, Revision};

/// Revisions on a page that does not say how many, and the most it may ask for.
const DEFAULT_LIMIT: usize = 100;
const GREATEST_LIMIT: usize = 1000;

const SWITCH: &str = "revision_history_enabled";

/// `GET _history`.
pub(super) async fn list(mut call: Call, key: Key) -> Answer {
    let limit = call.query.take_count("limit", GREATEST_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let after = call.query.take("after").map(|text| After::from_text(&text)).transpose()?;
    call.query.finish(&["limit", "after"])?;
    let kept = kept(&call, key.clone()).await?;
    if kept.is_empty() {
        denial::note_if_hidden(&call, &key).await;
        return Err(Problem::Absent(Absence::NeverWritten));
    }
    let rest = kept.iter().filter(|revision| after.is_none_or(|after| after.is_before(revision)));
    let mut rest = rest.peekable();
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let last = page.last().filter(|_| rest.peek().is_some());
    let next = last.map(|revision| After::of(&revision.version).to_text());
    let now = call.node.now();
    let items = page.into_iter().map(|revision| view(revision, now)).collect();
    json_answer(&Page { items, next })
}

/// `POST _restore`.
pub(super) async fn restore(call: Call, key: Key) -> Answer {
    call.query.finish(&[])?;
    let condition = condition::of_request(&call)?;
    body::expect_json(&call, &[], "application/json")?;
    let RestoreRequest { uuid } = body::read(&call)?;
    let uuid = VersionId::new(uuid);
    let version = revision(&call, key.clone(), uuid).await?;
    if let Some(absence) = version.head().absence(call.node.now()) {
        let reason = format!("revision {uuid} has no value to write back: it is {absence}");
        return Err(Problem::Content(reason));
    }
    let expiry = Expiry::Keep(call.node.default_ttl(&key).await?);
    let restores = Some(Restores { owner: version.owner });
    let wants = Wants { restores, ..Wants::of(&condition) };
    let receipt = kv::put_permitted(&call, &key, wants, version.body, expiry, condition).await?;
    Ok(value::written(&receipt, StatusCode::OK))
}

/// One version of a key that is kept, dead or alive.
pub(super) async fn revision(call: &Call, key: Key, uuid: VersionId) -> Result<Version, Problem> {
    let is_it = |revision: &Revision| revision.version.uuid == uuid;
    if let Some(found) = kept(call, key.clone()).await?.into_iter().find(is_it) {
        return Ok(found.version);
    }
    if !call.caller.is_unlimited()
        && kept_for(&Caller::owner(), call, key.clone()).await?.iter().any(is_it)
    {
        denial::note_hidden(call, &key, Right::Read);
    }
    Err(Problem::NoRevision(uuid))
}

/// All versions of a key that are kept, newest first.
async fn kept(call: &Call, key: Key) -> Result<Vec<Revision>, Problem> {
    kept_for(&call.caller, call, key).await
}

async fn kept_for(caller: &Caller, call: &Call, key: Key) -> Result<Vec<Revision>, Problem> {
    if !call.node.settings().revision_history_enabled {
        return Err(Problem::SwitchedOff { switch: SWITCH });
    }
    let oldest = call.node.oldest_revision();
    Ok(call.node.view(caller, move |view| view.history(&key, oldest)).await?)
}

fn view(revision: &Revision, now: UnixMillis) -> api::Revision {
    let Revision { version, superseded } = revision;
    let value = match &version.body {
        Body::Value(value) => Some(value),
        _ => None,
    };
    api::Revision {
        uuid: version.uuid.uuid(),
        timestamp: version.stamp.millis().0,
        origin: version.origin.node.uuid(),
        current: superseded.is_none() && version.head().absence(now).is_none(),
        superseded: superseded.map(reason),
        op: if value.is_some() { RevisionOp::Put } else { RevisionOp::Delete },
        size: value.map(|value| value.len() as u64),
        content_type: value.map(|value| value.content_type.as_str().to_owned()),
    }
}

fn reason(reason: Superseded) -> api::Superseded {
    match reason {
        Superseded::Older => api::Superseded::Older,
        Superseded::YoungerOrigin => api::Superseded::YoungerOrigin,
        Superseded::Uuid => api::Superseded::Uuid,
    }
}

/// The last revision of a page: the next one goes on with what is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct After {
    stamp: Stamp,
    uuid: VersionId,
}

impl After {
    fn of(version: &Version) -> Self {
        Self { stamp: version.stamp, uuid: version.uuid }
    }

    fn is_before(self, revision: &Revision) -> bool {
        Self::of(&revision.version) < self
    }
}

impl Cursor for After {
    const TAG: u8 = b'h';

    fn parts(&self) -> Vec<Vec<u8>> {
        vec![self.stamp.bits().to_be_bytes().to_vec(), self.uuid.as_bytes().to_vec()]
    }

    fn from_parts(parts: &[&[u8]]) -> Option<Self> {
        let [stamp, uuid] = parts else { return None };
        let stamp = Stamp::from_bits(u64::from_be_bytes((*stamp).try_into().ok()?));
        Some(Self { stamp, uuid: VersionId::from_bytes((*uuid).try_into().ok()?) })
    }
}

/// An answer in JSON.
pub(super) fn json_answer<T: serde::Serialize>(body: &T) -> Answer {
    let text = serde_json::to_vec(body).map_err(|error| Problem::Internal(error.to_string()))?;
    Ok(page::answer(JSON, text))
}

pub(super) fn describe_list(operation: OperationBuilder) -> OperationBuilder {
    operation
        .query("limit", count(1, GREATEST_LIMIT), "Revisions on a page; 100 if left out.")
        .query("after", text(), "The `next` of the page before.")
        .answers::<Page<api::Revision>>(
            200,
            "Versions, newest first, the newest of all among them.",
        )
        .refuses(&[404])
}

pub(super) fn describe_restore(operation: OperationBuilder) -> OperationBuilder {
    kv::describe::conditional(operation)
        .takes_json::<RestoreRequest>()
        .answers_with(200, kv::describe::written("The revision's value is the current one again."))
        .refuses(&[404, 412, 422])
}
