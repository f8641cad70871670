//! Rights that one gives oneself or others.

use serde_json::json;

use super::{Attempts, token_for};
use crate::harness::Guarded;

#[tokio::test]
async fn nobody_gives_themself_or_others_what_they_lack() {
    let node = Guarded::start().await;
    let mut tried = Attempts::default();
    let own = ["admin:tokens:*", "admin:users:*", "admin:groups:*", "read", "write:home"];
    let clerk = node.user("clerk", &own).await;
    node.user("bob", &["read"]).await;
    node.user("boss", &["read", "delete"]).await;
    node.as_root("POST /api/groups", r#"{"name":"clerks","scopes":["read"]}"#).await.expect(201);
    let call = async |line: &str, body: String| node.call(&clerk, line, body).await;
    for (name, body, status, kind) in [
        ("a token maker mints root's scopes", token_for(None, &["*"]), 403, "scope-not-held"),
        (
            "a token maker mints one scope more",
            token_for(None, &["read", "delete"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints the area above its own",
            token_for(None, &["admin:*"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints an unlimited right of a limited one",
            token_for(None, &["write"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints a prefix that only begins alike",
            token_for(None, &["write:homework"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints a token of root",
            token_for(Some("root"), &["read"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints a token of somebody with more",
            token_for(Some("boss"), &["read"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker poses as an equal to have their keys",
            token_for(Some("bob"), &["read"]),
            403,
            "scope-not-held",
        ),
        (
            "a token maker mints beyond the longest life",
            json!({"ttl":"31d"}).to_string(),
            422,
            "content-wrong",
        ),
        ("a token maker mints for nobody", token_for(Some("ghost"), &[]), 404, "account-unknown"),
    ] {
        tried.refused(&node, name, &call("POST /api/tokens", body).await, status, kind).await;
    }
    let body = |text: &str| text.to_owned();
    for (name, line, text) in [
        (
            "a user maker makes one with every scope",
            "POST /api/users",
            r#"{"name":"x","scopes":["*"]}"#,
        ),
        (
            "a user maker makes one with a scope it lacks",
            "POST /api/users",
            r#"{"name":"x","scopes":["delete"]}"#,
        ),
        (
            "a user editor gives themself a scope",
            "PATCH /api/users/clerk",
            r#"{"scopes":["delete","admin:users:*"]}"#,
        ),
        (
            "a user editor gives a friend a scope",
            "PATCH /api/users/bob",
            r#"{"scopes":["delete"]}"#,
        ),
        (
            "a user editor takes scopes from somebody with more",
            "PATCH /api/users/boss",
            r#"{"scopes":[]}"#,
        ),
        ("a user editor disables root", "PATCH /api/users/root", r#"{"disabled":true}"#),
        ("a user editor deletes root", "DELETE /api/users/root", ""),
        ("a user editor deletes somebody with more", "DELETE /api/users/boss", ""),
        (
            "a group maker makes one with every scope",
            "POST /api/groups",
            r#"{"name":"x","scopes":["*"]}"#,
        ),
        (
            "a group editor widens their group",
            "PATCH /api/groups/clerks",
            r#"{"scopes":["delete"]}"#,
        ),
        ("a group editor narrows the group of root", "PATCH /api/groups/admin", r#"{"scopes":[]}"#),
        ("a group editor deletes the group of root", "DELETE /api/groups/admin", ""),
        (
            "a group editor adds themself to the group of root",
            "PUT /api/groups/admin/members/clerk",
            "",
        ),
        (
            "a group editor adds a friend to the group of root",
            "PUT /api/groups/admin/members/bob",
            "",
        ),
        ("a group editor takes root out of its group", "DELETE /api/groups/admin/members/root", ""),
    ] {
        tried.refused(&node, name, &call(line, body(text)).await, 403, "scope-not-held").await;
    }
    let roots = node.id_of(&node.root).await;
    let revoking = call(&format!("DELETE /api/tokens/{roots}"), String::new()).await;
    tried.refused(&node, "a token revoker revokes root's", &revoking, 403, "scope-not-held").await;
    let again = call("POST /api/users", body(r#"{"name":"root"}"#)).await;
    tried.refused(&node, "a user maker makes a second root", &again, 409, "account-exists").await;
    let key = call("POST /api/keys", body("{}")).await;
    tried.refused(&node, "a token maker makes a signing key", &key, 403, "scope-missing").await;
    let nearly = node.user("nearly", &["admin:*", "read", "write", "delete"]).await;
    let key = node.call(&nearly, "POST /api/keys", r#"{"revoke_old":true}"#).await;
    tried
        .refused(
            &node,
            "somebody with nearly every scope replaces the keys",
            &key,
            403,
            "scope-not-held",
        )
        .await;
    let weak = node.token("root", Some(&["admin:tokens:create", "read"])).await;
    let made = node.call(&weak, "POST /api/tokens", token_for(None, &["write"])).await;
    tried
        .refused(&node, "a limited token of root mints what it lacks", &made, 403, "scope-not-held")
        .await;
    let made = node.call(&weak, "POST /api/tokens", "{}").await.expect(201).json();
    assert_eq!(made["scopes"], json!(["read", "admin:tokens:create"]), "no more than its own");
    tried.at_least(30);
    node.stop().await;
}
