//! `GET /api/explain`.

use std::sync::Arc;

use http::StatusCode;
use kvs_client::Explanation;
use kvs_core::access::{Action, Because};
use kvs_core::account::{Name, Rights};
use kvs_core::{Key, Right};
use utoipa::openapi::path::OperationBuilder;

use super::{json, name};
use crate::accounts::AccountError;
use crate::caller::{Bearer, Caller};
use crate::http::openapi::describe::{Describe as _, one_of, text};
use crate::http::{Answer, Call, Denial, Problem, permit};

/// The actions, as `action` spells them.
const ACTIONS: [(&str, Action); 8] = [
    ("read", Action::Read),
    ("create", Action::Create),
    ("write", Action::Write),
    ("delete", Action::Delete),
    ("shorten", Action::Shorten),
    ("restore", Action::Restore),
    ("metadata", Action::ChangeMetadata { group: None, above_others: false }),
    ("owner", Action::ChangeOwner),
];

/// `GET /api/explain`.
pub(in crate::http) async fn answer(mut call: Call) -> Answer {
    let key = call.query.take("key").ok_or_else(|| Problem::query("key", "is missing"))?;
    let key = Key::client(&key)?;
    let action = action(call.query.take("action").as_deref())?;
    let of = call.query.take("user").map(|text| name("user", &text)).transpose()?;
    call.query.finish(&["key", "action", "user"])?;
    let (caller, user) = subject(&call, of)?;
    let facts = permit::facts(&call, &key).await?;
    let now = call.node.now();
    // Whoever may not see the key is told what would be so if it had never been.
    let seen = call.caller.decide(Action::Read, &facts.to_read(&key), now).is_allowed();
    let resource = match (seen, action) {
        (false, _) => facts.unwritten(&key),
        (true, Action::Read) => facts.to_read(&key),
        (true, _) => facts.to_write(&key, now),
    };
    let decision = caller.decide(action, &resource, now);
    let because: &Because = decision.because();
    json(
        StatusCode::OK,
        &Explanation {
            allowed: decision.is_allowed(),
            rule: because.rule().to_owned(),
            reason: because.to_string(),
            key: key.as_str().to_owned(),
            action: action.name().to_owned(),
            user,
            missing_scope: because.missing_scope().map(|right| right.to_string()),
        },
    )
}

fn action(text: Option<&str>) -> Result<Action, Problem> {
    let found = ACTIONS.iter().find(|(name, _)| text == Some(name));
    let names = ACTIONS.map(|(name, _)| name).join(", ");
    let wrong = || Problem::query("action", format!("must be one of {names}"));
    found.map(|(_, action)| *action).ok_or_else(wrong)
}

/// Who is asked about: the caller, or somebody whom they may see.
fn subject(call: &Call, of: Option<Name>) -> Result<(Caller, Option<String>), Problem> {
    let own = call.caller.token().map(|bearer| bearer.name.clone());
    let Some(name) = of.filter(|name| own.as_ref() != Some(name)) else {
        return Ok((call.caller.clone(), own.map(|name| name.to_string())));
    };
    if !call.caller.permits(Right::ReadUsers) {
        return Err(Denial::Scope(Right::ReadUsers).into());
    }
    Ok((as_user(call, &name)?, Some(name.to_string())))
}

/// A caller who holds all that a user does, as with a token without limits.
fn as_user(call: &Call, name: &Name) -> Result<Caller, Problem> {
    let now = call.node.now();
    let directory = call.node.accounts().directory();
    let unknown = || AccountError::Unknown { what: "user", name: name.to_string() };
    let user = directory.user(name, now).ok_or_else(unknown)?;
    let rights = Rights {
        user: user.id,
        groups: directory.groups_of(user.id).map(|group| group.id).collect(),
        scopes: directory.holds(user),
    };
    let bearer = Bearer::supposed(name.clone(), rights, now);
    Ok(Caller::bearer(Arc::new(bearer), call.switches()))
}

pub(in crate::http) fn describe(operation: OperationBuilder) -> OperationBuilder {
    let names = ACTIONS.map(|(name, _)| name);
    operation
        .query("key", text(), "The key or prefix.")
        .query("action", one_of(&names), "What is to be done with it.")
        .query("user", text(), "Somebody else, by name: takes admin:users:read.")
        .answers::<Explanation>(200, "Whether they may, and which rule says so.")
        .refuses(&[404])
}
