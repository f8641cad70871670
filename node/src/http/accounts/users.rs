//! `/api/users`.

use http::StatusCode;
use kvs_client::{NewAccount, Page, User as View, UserPatch};
use kvs_core::account::{Directory, User};
use kvs_core::{ScopeSet, UserId};
use utoipa::openapi::path::OperationBuilder;

use super::{MOST_ITEMS, Wanted, changes, done, json, name, names, new_name, scopes};
use crate::accounts::{AccountError, UserChange};
use crate::http::openapi::describe::{Describe as _, answer, count, text};
use crate::http::{Answer, Call, body};

/// `GET /api/users`.
pub(in crate::http) fn list(mut call: Call) -> Answer {
    let wanted = Wanted::take(&mut call.query)?;
    call.query.finish(&["limit", "after"])?;
    let page = {
        let directory = call.node.accounts().directory();
        let users = directory.users(call.node.now());
        wanted.page(users.map(|user| (user.name.to_string(), view(&directory, user))))
    };
    json(StatusCode::OK, &page)
}

/// `POST /api/users`.
pub(in crate::http) async fn create(call: Call) -> Answer {
    call.query.finish(&[])?;
    body::expect_json(&call, &[], "application/json")?;
    let NewAccount { name, scopes } = body::read(&call)?;
    let (name, scopes) = (new_name(&name)?, super::scopes(&scopes)?);
    let user = changes(&call).create_user(name, scopes).await?;
    json(StatusCode::CREATED, &view(&call.node.accounts().directory(), &user))
}

/// `GET /api/users/{name}`.
pub(in crate::http) fn read(call: &Call, path: Vec<String>) -> Answer {
    call.query.finish(&[])?;
    let [text] = names(path)?;
    let name = name("user", &text)?;
    let directory = call.node.accounts().directory();
    let user = directory.user(&name, call.node.now());
    let user = user.ok_or(AccountError::Unknown { what: "user", name: text })?;
    json(StatusCode::OK, &view(&directory, user))
}

/// `PATCH /api/users/{name}`.
pub(in crate::http) async fn update(call: Call, path: Vec<String>) -> Answer {
    call.query.finish(&[])?;
    body::expect_json(&call, &["application/merge-patch+json"], "application/json")?;
    let [text] = names(path)?;
    let UserPatch { scopes: wanted, disabled } = body::read(&call)?;
    let wanted: Option<ScopeSet> = wanted.map(|texts| scopes(&texts)).transpose()?;
    let change = UserChange { scopes: wanted, disabled };
    let user = changes(&call).update_user(&name("user", &text)?, change).await?;
    json(StatusCode::OK, &view(&call.node.accounts().directory(), &user))
}

/// `DELETE /api/users/{name}`.
pub(in crate::http) async fn delete(call: Call, path: Vec<String>) -> Answer {
    call.query.finish(&[])?;
    let [text] = names(path)?;
    changes(&call).delete_user(&name("user", &text)?).await?;
    Ok(done())
}

fn view(directory: &Directory, user: &User) -> View {
    View {
        id: UserId::uuid(user.id),
        name: user.name.to_string(),
        scopes: user.scopes.clone().into(),
        groups: directory.groups_of(user.id).map(|group| group.name.to_string()).collect(),
        disabled: user.disabled,
        created: user.created_at.0,
    }
}

pub(in crate::http) fn describe_list(operation: OperationBuilder) -> OperationBuilder {
    listed(operation).answers::<Page<View>>(200, "Users, by name.")
}

/// Adds the parameters of lists.
pub(super) fn listed(operation: OperationBuilder) -> OperationBuilder {
    operation.query("limit", count(1, MOST_ITEMS), "Items on a page; 100 if left out.").query(
        "after",
        text(),
        "The `next` of the page before.",
    )
}

pub(in crate::http) fn describe_create(operation: OperationBuilder) -> OperationBuilder {
    let operation = operation.takes_json::<NewAccount>();
    operation.answers::<View>(201, "The user was made.").refuses(&[409, 422])
}

pub(in crate::http) fn describe_read(operation: OperationBuilder) -> OperationBuilder {
    operation.answers::<View>(200, "The user.")
}

pub(in crate::http) fn describe_update(operation: OperationBuilder) -> OperationBuilder {
    let operation = operation.takes_json::<UserPatch>();
    operation.answers::<View>(200, "The user as they are now.").refuses(&[409, 422])
}

pub(in crate::http) fn describe_delete(operation: OperationBuilder) -> OperationBuilder {
    let said = "The user is deleted for good, and their tokens are refused. A user of the same name \
                who is made later is somebody else: none of the keys are theirs.";
    operation.answers_with(204, answer(said, &[]))
}
