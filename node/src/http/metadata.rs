//! Owner, group, mode and default time to live of a key or prefix.

use http::header::ETAG;
use kvs_client::{Field, Metadata, MetadataPatch, ModeSetting, ModeView};
use kvs_core::access::Action;
use kvs_core::decide::{Condition, Expiry};
use kvs_core::{
    Absence, Body, Command, GroupId, Key, Meta, Mode, RecordId, Rejection, UserId, Version,
};
use utoipa::openapi::path::OperationBuilder;

use super::kv::{self, ATTEMPTS, condition, ttl};
use super::openapi::describe::{Describe as _, JSON, answer, reference, with_header};
use super::{Answer, Call, Problem, body, denial, permit, value};
use crate::caller::Caller;
use crate::records::View;
use crate::store::StoreError;
use crate::writer::Write;

/// What is known of a key beside its value.
struct Shown {
    value: Result<Version, Absence>,
    own: Option<Version>,
    governing: Option<(Key, Meta)>,
}

/// `GET _metadata`.
pub(super) async fn read(call: Call, key: Key) -> Answer {
    call.query.finish(&[])?;
    let facts = facts(&call, key.clone()).await?;
    match (&facts.value, &facts.governing) {
        (Err(absence), None) => {
            denial::note_if_hidden(&call, &key).await;
            Err(Problem::Absent(*absence))
        }
        _ => respond(&call, &facts),
    }
}

/// `PATCH _metadata`.
pub(super) async fn patch(call: Call, key: Key) -> Answer {
    body::expect_json(
        &call,
        &["application/merge-patch+json"],
        "application/json or application/merge-patch+json",
    )?;
    let change = Change::of(body::read(&call)?)?;
    set(&call, key, |meta| change.apply(meta)).await
}

/// `PUT _metadata`.
pub(super) async fn replace(call: Call, key: Key) -> Answer {
    body::expect_json(&call, &[], "application/json")?;
    let change = Change::of(body::read(&call)?)?;
    set(&call, key, |_meta| change.apply(&Meta::default())).await
}

/// A change whose fields were checked.
struct Change {
    owner: Field<UserId>,
    group: Field<GroupId>,
    mode: Option<Mode>,
    ttl: Field<std::time::Duration>,
}

impl Change {
    fn of(patch: MetadataPatch) -> Result<Self, Problem> {
        let wrong = |field: &str, reason: String| Problem::Content(format!("{field}: {reason}"));
        let mode = patch.mode.map(|mode| match mode {
            ModeSetting::Text(text) => text.parse(),
            ModeSetting::Bits(bits) => Mode::from_bits(bits.into()),
        });
        let ttl = match patch.ttl {
            Field::Set(text) => {
                Field::Set(ttl::parse(&text).map_err(|reason| wrong("ttl", reason))?)
            }
            Field::Clear => Field::Clear,
            Field::Keep => Field::Keep,
        };
        Ok(Self {
            owner: map(patch.owner, UserId::new),
            group: map(patch.group, GroupId::new),
            mode: mode.transpose().map_err(|error| wrong("mode", error.to_string()))?,
            ttl,
        })
    }

    fn apply(&self, meta: &Meta) -> Meta {
        Meta {
            owner: changed(meta.owner, &self.owner),
            group: changed(meta.group, &self.group),
            mode: self.mode.or(meta.mode),
            ttl: changed(meta.ttl, &self.ttl),
        }
    }
}

fn map<T, U>(field: Field<T>, of: impl FnOnce(T) -> U) -> Field<U> {
    match field {
        Field::Keep => Field::Keep,
        Field::Clear => Field::Clear,
        Field::Set(value) => Field::Set(of(value)),
    }
}

fn changed<T: Copy>(before: Option<T>, field: &Field<T>) -> Option<T> {
    match field {
        Field::Keep => before,
        Field::Clear => None,
        Field::Set(value) => Some(*value),
    }
}

/// Writes what `change` makes of a key's own metadata, over exactly that, and answers what governs.
async fn set(call: &Call, key: Key, change: impl Fn(&Meta) -> Meta) -> Answer {
    call.query.finish(&[])?;
    let condition = condition::of_request(call)?;
    for _ in 0..ATTEMPTS {
        let own = facts(call, key.clone()).await?.own;
        permitted(call, &key, own.as_ref(), &change).await?;
        let current = own.as_ref().map(|version| version.uuid);
        if !condition.holds(current) {
            return Err(Problem::Precondition(current));
        }
        let meta = change(&own.as_ref().map(meta_of).unwrap_or_default());
        let same = current.map_or(Condition::Absent, |uuid| Condition::Is(vec![uuid]));
        match store(call, RecordId::meta(key.clone()), meta, same).await? {
            // Also to whoever has just made it unreadable for themself.
            Ok(()) => return respond(call, &facts_for(call, &Caller::owner(), key).await?),
            Err(_changed) => {}
        }
    }
    Err(Problem::Contended)
}

/// Whether the caller may make this change of the metadata that a key has by now.
async fn permitted(
    call: &Call,
    key: &Key,
    own: Option<&Version>,
    change: &impl Fn(&Meta) -> Meta,
) -> Result<(), Problem> {
    if call.caller.is_unlimited() {
        return Ok(());
    }
    let before = own.map(meta_of).unwrap_or_default();
    let after = change(&before);
    let facts = permit::facts(call, key).await?;
    let mut actions = vec![Action::Read];
    if before.owner != after.owner {
        actions.push(Action::ChangeOwner);
    }
    let group = after.group.filter(|group| Some(*group) != before.group);
    let (above, user) = (key.clone(), call.caller.user());
    let above_others =
        call.node.view(&call.caller, move |view| view.is_above_others(&above, user)).await?;
    actions.push(Action::ChangeMetadata { group, above_others });
    permit::check(call, key, &facts, &actions)
        .map_err(|problem| permit::hidden(call, key, &facts, problem))
}

/// Writes metadata; if nothing is left of it, deletes what is there.
async fn store(
    call: &Call,
    record: RecordId,
    meta: Meta,
    condition: Condition,
) -> Result<Result<(), Rejection>, Problem> {
    if !meta.is_empty() {
        let done = kv::put(call, record, Body::Meta(meta), Expiry::Never, condition).await?;
        return Ok(done.map(drop));
    }
    let uuid = value::new_version_id();
    let delete = Write { record, command: Command::Delete { condition, uuid } };
    match kv::submit(call, delete).await? {
        Err(Rejection::Absent(_)) => Ok(Ok(())),
        done => Ok(done.map(drop)),
    }
}

async fn facts(call: &Call, key: Key) -> Result<Shown, Problem> {
    facts_for(call, &call.caller, key).await
}

async fn facts_for(call: &Call, caller: &Caller, key: Key) -> Result<Shown, Problem> {
    Ok(call.node.view(caller, move |view| look(view, &key)).await?)
}

/// What may not be read looks as if it were not there.
fn look(view: &View<'_>, key: &Key) -> Result<Shown, StoreError> {
    let value = view.current(key)?;
    if !view.may_read_metadata(key)? {
        return Ok(Shown { value, own: None, governing: None });
    }
    let own = view.own_metadata(key)?.map(|(version, _)| version);
    Ok(Shown { value, own, governing: view.governing_metadata(key)? })
}

fn meta_of(version: &Version) -> Meta {
    match &version.body {
        Body::Meta(meta) => meta.clone(),
        _ => Meta::default(),
    }
}

fn respond(call: &Call, facts: &Shown) -> Answer {
    let mut response = super::history::json_answer(&view(call, facts))?;
    if let Some(own) = &facts.own {
        response.headers_mut().insert(ETAG, value::tag(own.uuid));
    }
    Ok(response)
}

fn view(call: &Call, facts: &Shown) -> Metadata {
    let Shown { value, governing, .. } = facts;
    let value = value.as_ref().ok();
    let meta = governing.as_ref().map(|(_, meta)| meta.clone()).unwrap_or_default();
    let first_writer = value.and_then(|version| version.owner);
    let mode = meta.mode.unwrap_or(Mode::DEFAULT);
    let ttl = meta.ttl.or(call.node.settings().default_ttl.map(Into::into));
    Metadata {
        owner: meta.owner.or(first_writer).map(UserId::uuid),
        group: meta.group.map(GroupId::uuid),
        mode: ModeView { text: mode.to_string(), bits: mode.bits() },
        ttl: ttl.map(ttl::text),
        created: value.map(|version| version.created_at.0),
        updated: value.map(|version| version.stamp.millis().0),
        expires: value.and_then(|version| version.expires_at).map(|at| at.0),
        uuid: value.map(|version| version.uuid.uuid()),
        governed_by: governing.as_ref().map(|(key, _)| key.as_str().to_owned()),
    }
}

pub(super) fn describe_read(operation: OperationBuilder) -> OperationBuilder {
    answers(operation).refuses(&[404])
}

pub(super) fn describe_patch(operation: OperationBuilder) -> OperationBuilder {
    let what = "Fields to set; `null` clears a field, except `mode`.";
    let bodies = ["application/json", "application/merge-patch+json"];
    let bodies = bodies.map(|kind| (kind, reference::<MetadataPatch>()));
    let operation = kv::describe::conditional(operation).takes(&bodies, what);
    answers(operation).refuses(&[409, 412, 422])
}

pub(super) fn describe_replace(operation: OperationBuilder) -> OperationBuilder {
    let what = "All fields that are to be set; without any, the key has no metadata of its own.";
    let bodies = [(JSON, reference::<MetadataPatch>())];
    let operation = kv::describe::conditional(operation).takes(&bodies, what);
    answers(operation).refuses(&[409, 412, 422])
}

fn answers(operation: OperationBuilder) -> OperationBuilder {
    let governs = "What governs the key: its own metadata, else that of the nearest prefix above \
                   that has some, else the defaults.";
    let tag = "The version of the key's own metadata, for `If-Match`; absent if it has none.";
    let response = answer(governs, &[(JSON, reference::<Metadata>())]);
    operation.answers_with(200, with_header(response, "ETag", tag))
}
