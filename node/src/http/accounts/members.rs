//! `/api/groups/{name}/members`.

use http::StatusCode;
use kvs_client::{GroupMember, Page};
use kvs_core::UserId;
use utoipa::openapi::path::OperationBuilder;

use super::{Wanted, changes, done, json, name, names};
use crate::accounts::AccountError;
use crate::http::openapi::describe::{Describe as _, answer};
use crate::http::{Answer, Call, Problem};

/// `GET /api/groups/{name}/members`.
pub(in crate::http) fn list(mut call: Call, path: Vec<String>) -> Answer {
    let wanted = Wanted::take(&mut call.query)?;
    call.query.finish(&["limit", "after"])?;
    let [text] = names(path)?;
    let name = name("group", &text)?;
    let directory = call.node.accounts().directory();
    let group = directory.group(&name);
    let group = group.ok_or(AccountError::Unknown { what: "group", name: text })?;
    let known = directory.members_of(group.id).filter_map(|id| {
        let name = directory.user_by_id(id, call.node.now())?.name.to_string();
        Some((name.clone(), GroupMember { id: UserId::uuid(id), name }))
    });
    let mut known: Vec<_> = known.collect();
    known.sort_by(|(left, _), (right, _)| left.cmp(right));
    json(StatusCode::OK, &wanted.page(known.into_iter()))
}

/// `PUT /api/groups/{name}/members/{user}`.
pub(in crate::http) async fn add(call: Call, path: Vec<String>) -> Answer {
    set(call, path, true).await
}

/// `DELETE /api/groups/{name}/members/{user}`.
pub(in crate::http) async fn remove(call: Call, path: Vec<String>) -> Answer {
    set(call, path, false).await
}

async fn set(call: Call, path: Vec<String>, is_member: bool) -> Answer {
    call.query.finish(&[])?;
    let [group, user] = names(path)?;
    let (group, user) = (name("group", &group)?, name("user", &user)?);
    changes(&call).set_member(&group, &user, is_member).await.map_err(Problem::from)?;
    Ok(done())
}

pub(in crate::http) fn describe_list(operation: OperationBuilder) -> OperationBuilder {
    super::users::listed(operation).answers::<Page<GroupMember>>(200, "Who is in it, by name.")
}

pub(in crate::http) fn describe_change(operation: OperationBuilder) -> OperationBuilder {
    operation.answers_with(204, answer("It is so from now on.", &[]))
}
