//! Ways in that are none.

use serde_json::json;

use super::Attempts;
use crate::harness::Guarded;

#[tokio::test]
async fn nobody_comes_in_by_another_door() {
    let node = Guarded::with(|settings| settings.allow_anonymous_write = true).await;
    let mut tried = Attempts::default();
    let ann = node.user("ann", &["read", "write", "delete"]).await;
    node.as_root("PUT /kv/a", "1").await.expect(201);
    let write = node.call("", "PUT /kv/a", "1").await;
    tried
        .refused(
            &node,
            "an anonymous writer writes what is root's",
            &write,
            401,
            "credentials-missing",
        )
        .await;
    node.set("a", json!({ "mode": "cdwrcdwrcdwr" })).await;
    node.call("", "PUT /kv/a", "1").await.expect(200);
    let shorten = node.call("", "PUT /kv/a?ttl=1s", "1").await;
    tried
        .refused(
            &node,
            "a life of a second as an anonymous delete",
            &shorten,
            401,
            "credentials-missing",
        )
        .await;
    let meta = node.call("", "PATCH /kv/new/_metadata", r#"{"mode":0}"#).await;
    tried
        .refused(&node, "an anonymous writer sets a mode", &meta, 401, "credentials-missing")
        .await;
    let query = node.call("", &format!("GET /kv/a?access_token={}", node.root), "").await;
    tried.refused(&node, "a token in the address", &query, 401, "credentials-missing").await;
    let forwarded = [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1")];
    let mode = node.send("POST /cluster/mode", &forwarded, r#"{"mode":"read_only"}"#).await;
    tried
        .refused(&node, "a stranger says to be on this machine", &mode, 401, "credentials-missing")
        .await;
    let leave = node.call(&ann, "POST /cluster/leave", "").await;
    tried.refused(&node, "a user has the node leave", &leave, 403, "scope-missing").await;
    for (name, line) in [
        ("a user reads the accounts as keys", "GET /kv/_system/users/root"),
        ("a user writes an account as a key", "PUT /kv/_system/users/ann"),
        ("a user deletes a revocation as a key", "DELETE /kv/_system/revoked/tokens"),
        ("a user lists the accounts as keys", "GET /kv/_system/_tree"),
        ("a user spells the accounts otherwise", "GET /kv/%5Fsystem/users/root"),
        ("a user restores an account", "POST /kv/_system/users/ann/_restore"),
        ("a user gives an account a mode", "PATCH /kv/_system/users/ann/_metadata"),
    ] {
        tried.refused(&node, name, &node.call(&ann, line, "{}").await, 403, "system-key").await;
    }
    let explain = node.call(&ann, "GET /api/explain?key=a&action=read&user=root", "").await;
    tried.refused(&node, "a user asks what root may", &explain, 403, "scope-missing").await;

    // A stored page that a browser shows cannot act as ours: it is sandboxed, and no origin may call.
    let html =
        [("authorization", format!("Bearer {ann}")), ("content-type", "text/html".to_owned())];
    let html: Vec<(&str, &str)> =
        html.iter().map(|(name, value)| (*name, value.as_str())).collect();
    node.send("PUT /kv/page", &html, "<script>fetch('/api/users')</script>").await.expect(201);
    let page = node.call(&ann, "GET /kv/page?raw", "").await.expect(200);
    for (header, value) in [
        ("content-security-policy", "sandbox"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", "attachment"),
    ] {
        assert_eq!(page.headers[header], value);
    }
    assert!(page.headers.get("access-control-allow-origin").is_none());
    tried.at_least(13);
    node.stop().await;
}
