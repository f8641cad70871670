//! Users and tokens, as the nodes of a cluster have them.

use kvs_client::{CreatedToken, NewAccount, NewToken, Token, User, UserPatch};
use kvs_core::UnixMillis;
use kvs_operator_core::observed::Life;
use kvs_operator_core::user;
use uuid::Uuid;

use crate::nodes::{Api, ApiError};
use crate::reach::Reached;

/// The nodes that serve, with what their clocks say.
fn serving(reached: &Reached) -> impl Iterator<Item = (Api<'_>, UnixMillis)> {
    let members = reached.look.seen.members.iter().rev();
    let serving = members.filter(|(_, member)| member.life == Life::Serving);
    serving.filter_map(|(ordinal, member)| Some((reached.api(*ordinal)?, member.now)))
}

type Found<'a> = (Api<'a>, UnixMillis, Option<user::Account>);

/// The user of a name, and the node that knows of it. What was done by one node the others know a little
/// later: before it is said that there is none, all are asked. Nothing if there are no nodes to ask.
pub(super) async fn find<'r>(
    reached: &'r Reached,
    name: &str,
) -> Result<Option<Found<'r>>, ApiError> {
    let mut first = None;
    for (node, now) in serving(reached) {
        let found: Option<User> = node.get(&path("users", name)).await?;
        if let Some(found) = found {
            return Ok(Some((node, now, Some(account(found)))));
        }
        first.get_or_insert((node, now, None));
    }
    Ok(first)
}

/// A token that a node believes.
pub(super) async fn token(reached: &Reached, id: Uuid) -> Result<Option<user::Token>, ApiError> {
    for (node, _) in serving(reached) {
        let found: Option<Token> = node.get(&path("tokens", &id.to_string())).await?;
        if let Some(Token { user_id, issued, expires, .. }) = found {
            let (issued, expires) = (UnixMillis(issued), UnixMillis(expires));
            return Ok(Some(user::Token { user: user_id, issued, expires }));
        }
    }
    Ok(None)
}

pub(super) async fn make(node: &Api<'_>, name: &str, scopes: &[String]) -> Result<(), ApiError> {
    let wanted = NewAccount { name: name.to_owned(), scopes: scopes.to_vec() };
    node.post::<User>("/api/users", Some(&wanted)).await.map(drop)
}

pub(super) async fn give(node: &Api<'_>, name: &str, scopes: &[String]) -> Result<(), ApiError> {
    let patch = UserPatch { scopes: Some(scopes.to_vec()), disabled: None };
    node.patch(&path("users", name), &patch).await
}

pub(super) async fn join(node: &Api<'_>, name: &str, group: &str) -> Result<(), ApiError> {
    node.put(&format!("{}/members/{name}", path("groups", group))).await
}

pub(super) async fn leave(node: &Api<'_>, name: &str, group: &str) -> Result<(), ApiError> {
    node.delete(&format!("{}/members/{name}", path("groups", group))).await
}

pub(super) async fn delete(node: &Api<'_>, name: &str) -> Result<(), ApiError> {
    node.delete(&path("users", name)).await
}

/// A token for all that its user may do, now and later.
pub(super) async fn issue(node: &Api<'_>, name: &str, ttl: &str) -> Result<CreatedToken, ApiError> {
    let (user, scopes) = (Some(name.to_owned()), Some(vec!["*".to_owned()]));
    let wanted = NewToken { user, scopes, ttl: Some(ttl.to_owned()) };
    node.post("/api/tokens", Some(&wanted)).await
}

pub(super) async fn revoke(node: &Api<'_>, id: Uuid) -> Result<(), ApiError> {
    node.delete(&path("tokens", &id.to_string())).await
}

/// Names have only characters that paths may have.
fn path(of: &str, name: &str) -> String {
    format!("/api/{of}/{name}")
}

fn account(user: User) -> user::Account {
    let User { id, scopes, groups, disabled, created, .. } = user;
    user::Account { id, scopes, groups, disabled, created: UnixMillis(created) }
}
