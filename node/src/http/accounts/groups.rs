//! `/api/groups`.

use http::StatusCode;
use kvs_client::{Group as View, GroupPatch, NewAccount, Page};
use kvs_core::GroupId;
use kvs_core::account::Group;
use utoipa::openapi::path::OperationBuilder;

use super::{Wanted, changes, done, json, name, names, new_name, scopes};
use crate::accounts::{AccountError, GroupChange};
use crate::http::openapi::describe::{Describe as _, answer};
use crate::http::{Answer, Call, body};

/// `GET /api/groups`.
pub(in crate::http) fn list(mut call: Call) -> Answer {
    let wanted = Wanted::take(&mut call.query)?;
    call.query.finish(&["limit", "after"])?;
    let page = {
        let directory = call.node.accounts().directory();
        wanted.page(directory.groups().map(|group| (group.name.to_string(), view(group))))
    };
    json(StatusCode::OK, &page)
}

/// `POST /api/groups`.
pub(in crate::http) async fn create(call: Call) -> Answer {
    call.query.finish(&[])?;
    body::expect_json(&call, &[], "application/json")?;
    let NewAccount { name, scopes } = body::read(&call)?;
    let (name, scopes) = (new_name(&name)?, super::scopes(&scopes)?);
    let group = changes(&call).create_group(name, scopes).await?;
    json(StatusCode::CREATED, &view(&group))
}

/// `GET /api/groups/{name}`.
pub(in crate::http) fn read(call: &Call, path: Vec<String>) -> Answer {
    call.query.finish(&[])?;
    let [text] = names(path)?;
    let name = name("group", &text)?;
    let directory = call.node.accounts().directory();
    let group = directory.group(&name);
    let group = group.ok_or(AccountError::Unknown { what: "group", name: text })?;
    json(StatusCode::OK, &view(group))
}

/// `PATCH /api/groups/{name}`.
pub(in crate::http) async fn update(call: Call, path: Vec<String>) -> Answer {
    call.query.finish(&[])?;
    body::expect_json(&call, &["application/merge-patch+json"], "application/json")?;
    let [text] = names(path)?;
    let GroupPatch { scopes: wanted } = body::read(&call)?;
    let change = GroupChange { scopes: wanted.map(|texts| scopes(&texts)).transpose()? };
    let group = changes(&call).update_group(&name("group", &text)?, change).await?;
    json(StatusCode::OK, &view(&group))
}

/// `DELETE /api/groups/{name}`.
pub(in crate::http) async fn delete(call: Call, path: Vec<String>) -> Answer {
    call.query.finish(&[])?;
    let [text] = names(path)?;
    changes(&call).delete_group(&name("group", &text)?).await?;
    Ok(done())
}

fn view(group: &Group) -> View {
    View {
        id: GroupId::uuid(group.id),
        name: group.name.to_string(),
        scopes: group.scopes.clone().into(),
        created: group.created_at.0,
    }
}

pub(in crate::http) fn describe_list(operation: OperationBuilder) -> OperationBuilder {
    super::users::listed(operation).answers::<Page<View>>(200, "Groups, by name.")
}

pub(in crate::http) fn describe_create(operation: OperationBuilder) -> OperationBuilder {
    let operation = operation.takes_json::<NewAccount>();
    operation.answers::<View>(201, "The group was made.").refuses(&[409, 422])
}

pub(in crate::http) fn describe_read(operation: OperationBuilder) -> OperationBuilder {
    operation.answers::<View>(200, "The group.")
}

pub(in crate::http) fn describe_update(operation: OperationBuilder) -> OperationBuilder {
    let operation = operation.takes_json::<GroupPatch>();
    operation.answers::<View>(200, "The group as it is now.").refuses(&[409, 422])
}

pub(in crate::http) fn describe_delete(operation: OperationBuilder) -> OperationBuilder {
    operation.answers_with(204, answer("The group is deleted, and nobody is in it any more.", &[]))
}
