//! What a token is good for, until when, and what the first one is.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use kvs_core::token::UnixSeconds;
use serde_json::json;

use crate::harness::Guarded;

#[tokio::test]
async fn admin_routes_refuse_without_a_token_and_work_with_roots() {
    let node = Guarded::start().await;
    for line in ["GET /api/users", "GET /api/groups", "GET /api/tokens", "POST /api/users"] {
        let refused = node.call("", line, "{}").await;
        refused.refuses(401, "credentials-missing");
        assert_eq!(refused.headers["www-authenticate"], "Bearer realm=\"kvs\"");
    }
    let users = node.as_root("GET /api/users", "").await.expect(200).json();
    assert_eq!(users["items"][0]["name"], "root");
    assert_eq!(users["items"][0]["groups"], json!(["admin"]));
    node.as_root("POST /api/users", r#"{"name":"alice"}"#).await.expect(201);
    node.stop().await;
}

#[tokio::test]
async fn key_routes_obey_the_anonymous_switches_and_delete_always_takes_a_token() {
    for (read, write) in [(false, false), (true, false), (false, true), (true, true)] {
        let node = Guarded::with(|settings| {
            settings.allow_anonymous_read = read;
            settings.allow_anonymous_write = write;
        })
        .await;
        node.as_root("PUT /kv/a", "1").await.expect(201);
        node.set("a", json!({ "mode": "cdwrcdwrcdwr" })).await;
        let status = |allowed, good| if allowed { good } else { 401 };
        node.call("", "GET /kv/a", "").await.expect(status(read, 200));
        node.call("", "GET /kv/_ls", "").await.expect(status(read, 200));
        node.call("", "GET /kv/_changes", "").await.expect(status(read, 200));
        node.call("", "PUT /kv/b", "2").await.expect(status(write, 201));
        node.call("", "PUT /kv/a", "2").await.expect(status(write, 200));
        node.call("", "PATCH /kv/a", "2").await.expect(status(read && write, 200));
        node.call("", "DELETE /kv/a", "").await.refuses(401, "credentials-missing");
        node.call("", "PUT /kv/a?ttl=1s", "3").await.expect(401);
        let items = json!({ "items": [
            { "op": "get", "key": "a" }, { "op": "put", "key": "c", "value": 1 },
            { "op": "delete", "key": "a" },
        ]});
        let batch = node.call("", "POST /kv/_batch", items.to_string()).await;
        if read || write {
            let items = batch.expect(200).json()["items"].clone();
            assert_eq!(items[0]["status"], if read { 200 } else { 404 });
            assert_eq!(items[1]["status"], status(write, 201));
            assert_eq!(items[2]["status"], 401);
        } else {
            batch.refuses(401, "credentials-missing");
        }
        node.as_root("DELETE /kv/a", "").await.expect(204);
        node.stop().await;
    }
}

#[tokio::test]
async fn the_first_token_is_its_owners_alone_and_good_for_a_day() {
    let node = Guarded::start().await;
    let file = std::fs::metadata(node.dir.path().join("root-token")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let whoami = node.as_root("GET /api/whoami", "").await.expect(200).json();
    assert_eq!((whoami["user"].as_str(), whoami["scopes"].clone()), (Some("root"), json!(["*"])));
    node.advance(Duration::from_hours(24) - Duration::from_millis(1));
    node.as_root("GET /api/whoami", "").await.expect(200);
    node.advance(Duration::from_millis(1));
    node.as_root("GET /api/whoami", "").await.refuses(401, "token-expired");
    let made = node.by_socket("POST /api/tokens", r#"{"user":"root"}"#).await.expect(201);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    node.call(&token, "GET /api/users", "").await.expect(200);
    node.stop().await;
}

#[tokio::test]
async fn a_token_that_is_revoked_is_refused_from_the_answer_on() {
    let node = Guarded::start().await;
    let alice = node.user("alice", &["read", "write"]).await;
    node.call(&alice, "PUT /kv/a", "1").await.expect(201);
    let id = node.id_of(&alice).await;
    node.as_root(&format!("DELETE /api/tokens/{id}"), "").await.expect(204);
    node.call(&alice, "GET /kv/a", "").await.refuses(401, "token-revoked");
    node.as_root(&format!("GET /api/tokens/{id}"), "").await.refuses(404, "account-unknown");
    let other = node.token("alice", None).await;
    node.call(&other, "GET /kv/a", "").await.expect(200);
    node.stop().await;
}

#[tokio::test]
async fn what_a_token_permits_is_what_its_user_may_too_at_that_moment() {
    let node = Guarded::start().await;
    let alice = node.user("alice", &["read", "write"]).await;
    node.call(&alice, "PUT /kv/a", "1").await.expect(201);
    node.as_root("PATCH /api/users/alice", r#"{"scopes":["read"]}"#).await.expect(200);
    node.call(&alice, "PUT /kv/a", "2").await.refuses(403, "scope-missing");
    node.call(&alice, "GET /kv/a", "").await.expect(200);
    node.as_root("PATCH /api/users/alice", r#"{"disabled":true}"#).await.expect(200);
    node.call(&alice, "GET /kv/a", "").await.refuses(401, "token-user");
    node.as_root("PATCH /api/users/alice", r#"{"disabled":false}"#).await.expect(200);
    node.call(&alice, "GET /kv/a", "").await.expect(200);
    node.as_root("DELETE /api/users/alice", "").await.expect(204);
    node.call(&alice, "GET /kv/a", "").await.refuses(401, "token-user");
    let again = node.user("alice", &["read"]).await;
    node.call(&alice, "GET /kv/a", "").await.refuses(401, "token-user");
    node.call(&again, "GET /kv/a", "").await.expect(200);
    node.stop().await;
}

#[tokio::test]
async fn a_token_lives_as_long_as_asked_and_no_longer_than_allowed() {
    let node = Guarded::start().await;
    node.user("alice", &["read"]).await;
    let make = async |ttl: &str| {
        let body = json!({ "user": "alice", "ttl": ttl }).to_string();
        node.as_root("POST /api/tokens", body).await
    };
    let made = make("90s").await.expect(201).json();
    assert_eq!(made["expires"].as_u64().unwrap() - made["issued"].as_u64().unwrap(), 90_000);
    make("30d").await.expect(201);
    make("2592001s").await.refuses(422, "content-wrong");
    make("999ms").await.refuses(422, "content-wrong");
    let token = made["token"].as_str().unwrap();
    node.advance(Duration::from_millis(89_999));
    node.call(token, "GET /api/whoami", "").await.expect(200);
    node.advance(Duration::from_millis(1));
    node.call(token, "GET /api/whoami", "").await.refuses(401, "token-expired");
    node.stop().await;
}

#[tokio::test]
async fn a_new_signing_key_signs_and_the_old_ones_tokens_live_on_until_it_is_revoked() {
    let node = Guarded::start().await;
    let before = node.user("alice", &["read"]).await;
    let rotated = node.as_root("POST /api/keys", "{}").await.expect(201).json();
    let after = node.token("alice", None).await;
    let listed = node.as_root("GET /api/tokens?user=alice", "").await.expect(200).json();
    let kids: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|item| &item["kid"]).collect();
    assert!(kids.contains(&&rotated["kid"]), "{listed}");
    for token in [&before, &after] {
        node.call(token, "GET /api/whoami", "").await.expect(200);
    }
    let rotated = node.as_root("POST /api/keys", r#"{"revoke_old":true}"#).await.expect(201);
    assert_eq!(rotated.json()["revoked"].as_array().unwrap().len(), 2);
    for token in [&before, &after, &node.root] {
        node.call(token, "GET /api/whoami", "").await.refuses(401, "token-revoked");
    }
    let made = node.by_socket("POST /api/tokens", r#"{"user":"root"}"#).await.expect(201);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    node.call(&token, "GET /api/whoami", "").await.expect(200);
    node.stop().await;
}

#[tokio::test]
async fn accounts_and_revocations_outlast_a_restart_and_root_is_made_once() {
    let node = Guarded::start().await;
    let alice = node.user("alice", &["read"]).await;
    let revoked = node.token("alice", None).await;
    let id = node.id_of(&revoked).await;
    node.as_root(&format!("DELETE /api/tokens/{id}"), "").await.expect(204);
    let root = node.root.clone();
    std::fs::remove_file(node.dir.path().join("root-token")).unwrap();
    let node = node.restarted().await;
    for token in [&alice, &root] {
        node.call(token, "GET /api/whoami", "").await.expect(200);
    }
    node.call(&revoked, "GET /api/whoami", "").await.refuses(401, "token-revoked");
    assert!(!node.dir.path().join("root-token").exists(), "nobody asked for another");
    node.stop().await;
}

#[tokio::test]
async fn a_forged_claim_is_refused_however_well_the_rest_fits() {
    let node = Guarded::start().await;
    let claims = Guarded::claims(&node.root);
    node.call(&node.sign(&claims), "GET /api/whoami", "").await.expect(200);
    let future = kvs_core::token::Claims { iat: UnixSeconds(claims.iat.0 + 61), ..claims.clone() };
    node.call(&node.sign(&future), "GET /api/whoami", "").await.refuses(401, "token-not-yet-valid");
    let drifted = kvs_core::token::Claims { iat: UnixSeconds(claims.iat.0 + 60), ..claims };
    node.call(&node.sign(&drifted), "GET /api/whoami", "").await.expect(200);
    node.stop().await;
}
