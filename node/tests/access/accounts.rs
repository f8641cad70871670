//! Users, groups and memberships as routes.

use serde_json::json;

use crate::harness::Guarded;

#[tokio::test]
async fn users_are_made_read_changed_listed_and_deleted() {
    let node = Guarded::start().await;
    let made = node.as_root("POST /api/users", r#"{"name":"bob","scopes":["write","read"]}"#).await;
    assert_eq!(made.expect(201).json()["scopes"], json!(["read", "write"]));
    let again = node.as_root("POST /api/users", r#"{"name":"bob"}"#).await;
    again.refuses(409, "account-exists");
    for (body, status) in [
        (r#"{"name":""}"#, 422),
        (r#"{"name":"_x"}"#, 422),
        (r#"{"name":"a/b"}"#, 422),
        (r#"{"name":"c","scopes":["fly"]}"#, 422),
        (r#"{"name":"c","scopes":["read:_system"]}"#, 422),
        (r#"{"name":"c","colour":"red"}"#, 422),
        ("[]", 422),
        ("{", 400),
    ] {
        node.as_root("POST /api/users", body).await.expect(status);
    }
    let listed = node.as_root("GET /api/users?limit=1", "").await.expect(200).json();
    assert_eq!(listed["items"][0]["name"], "bob");
    let next = format!("GET /api/users?limit=1&after={}", listed["next"].as_str().unwrap());
    let rest = node.as_root(&next, "").await.expect(200).json();
    assert_eq!((rest["items"][0]["name"].as_str(), rest["next"].as_str()), (Some("root"), None));
    node.as_root("PATCH /api/users/bob", r#"{"scopes":[]}"#).await.expect(200);
    let read = node.as_root("GET /api/users/bob", "").await.expect(200).json();
    assert_eq!(read["scopes"], json!([]));
    node.as_root("DELETE /api/users/bob", "").await.expect(204);
    for line in ["GET /api/users/bob", "DELETE /api/users/bob", "PATCH /api/users/bob"] {
        node.as_root(line, "{}").await.refuses(404, "account-unknown");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_group_gives_its_members_what_it_may_until_they_leave_it_or_it_is_deleted() {
    let node = Guarded::start().await;
    let alice = node.user("alice", &[]).await;
    node.as_root("POST /api/groups", r#"{"name":"family","scopes":["read"]}"#).await.expect(201);
    node.as_root("PUT /kv/a", "1").await.expect(201);
    // Her token was made when she held nothing, and permits no more.
    node.as_root("PUT /api/groups/family/members/alice", "").await.expect(204);
    node.call(&alice, "GET /kv/a", "").await.refuses(403, "scope-missing");
    let alice = node.token("alice", None).await;
    node.call(&alice, "GET /kv/a", "").await.expect(200);
    let members = node.as_root("GET /api/groups/family/members", "").await.expect(200).json();
    assert_eq!(members["items"][0]["name"], "alice");
    node.as_root("DELETE /api/groups/family/members/alice", "").await.expect(204);
    node.call(&alice, "GET /kv/a", "").await.refuses(403, "scope-missing");
    let left = node.as_root("DELETE /api/groups/family/members/alice", "").await;
    left.refuses(404, "account-unknown");
    node.as_root("PUT /api/groups/family/members/alice", "").await.expect(204);
    node.as_root("PATCH /api/groups/family", r#"{"scopes":["write"]}"#).await.expect(200);
    node.call(&alice, "GET /kv/a", "").await.refuses(403, "scope-missing");
    node.as_root("PATCH /api/groups/family", r#"{"scopes":["read"]}"#).await.expect(200);
    node.call(&alice, "GET /kv/a", "").await.expect(200);
    node.as_root("DELETE /api/groups/family", "").await.expect(204);
    node.call(&alice, "GET /kv/a", "").await.refuses(403, "scope-missing");
    node.as_root("POST /api/groups", r#"{"name":"family","scopes":["read"]}"#).await.expect(201);
    node.call(&alice, "GET /kv/a", "").await.refuses(403, "scope-missing");
    node.stop().await;
}

#[tokio::test]
async fn the_systems_records_are_in_no_list_stream_batch_or_history() {
    let node = Guarded::start().await;
    node.user("alice", &["read"]).await;
    node.as_root("PUT /kv/a", "1").await.expect(201);
    for line in ["GET /kv/_ls", "GET /kv/_tree", "GET /kv/_changes"] {
        let text = node.as_root(line, "").await.expect(200).text();
        assert!(!text.contains("_system") && !text.contains("alice"), "{line}: {text}");
    }
    for path in
        ["_system", "_system/users/alice", "_system/users/alice/_history", "%5Fsystem/users"]
    {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = node.as_root(&format!("{method} /kv/{path}"), "1").await;
            assert!([403, 405].contains(&answer.status.as_u16()), "{method} {path}: {answer:?}");
        }
    }
    node.as_root("GET /kv/_system/_ls", "").await.refuses(403, "system-key");
    let items = json!({ "items": [{ "op": "get", "key": "_system/users/root" }] }).to_string();
    let batch = node.as_root("POST /kv/_batch", items).await.expect(200).json();
    assert_eq!(batch["items"][0]["status"], 403);
    node.stop().await;
}

#[tokio::test]
async fn routes_of_accounts_are_absent_where_nobody_is_asked_who_they_are() {
    let node = Guarded::start().await;
    let settings = node.running.node.settings().clone();
    node.stop().await;
    let dir = tempfile::tempdir().unwrap();
    let settings =
        kvs_config::Settings { auth_enabled: false, data_dir: dir.path().to_owned(), ..settings };
    let clock = std::sync::Arc::new(kvs_node::time::ManualClock::at(crate::harness::START));
    let running = kvs_node::node::Running::start(settings, clock).unwrap();
    let app = kvs_node::http::App::new(running.node.clone());
    for path in ["/api/users", "/api/groups/x", "/api/tokens", "/api/whoami", "/api/explain"] {
        let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = kvs_node::http::respond(app.clone(), request).await;
        assert_eq!(answer.status(), 404, "{path}");
    }
    drop(app);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn explain_names_the_record_and_the_bit_that_decide() {
    let node = Guarded::start().await;
    let alice = node.user("alice", &["read", "write"]).await;
    node.as_root("PUT /kv/home/x", "1").await.expect(201);
    node.set("home", json!({ "mode": "cdwr--wr---r" })).await;
    let ask = async |token: &str, rest: &str| {
        node.call(token, &format!("GET /api/explain?{rest}"), "").await.expect(200).json()
    };
    let read = ask(&alice, "key=home/x&action=read").await;
    assert_eq!((read["allowed"].as_bool(), read["rule"].as_str()), (Some(true), Some("bit")));
    let write = ask(&alice, "key=home/x&action=write").await;
    assert_eq!(write["reason"], "mode cdwr--wr---r of home does not let others write");
    let delete = ask(&alice, "key=home/x&action=delete").await;
    assert_eq!(
        (delete["rule"].as_str(), delete["missing_scope"].as_str()),
        (Some("scope"), Some("delete"))
    );
    let of_alice = ask(&node.root, "key=home/x&action=write&user=alice").await;
    assert_eq!(
        (of_alice["user"].as_str(), of_alice["allowed"].as_bool()),
        (Some("alice"), Some(false))
    );
    let other = node.call(&alice, "GET /api/explain?key=a&action=read&user=root", "").await;
    other.refuses(403, "scope-missing");
    node.call(&alice, "GET /api/explain?key=a&action=fly", "")
        .await
        .refuses(400, "query-malformed");
    node.stop().await;
}
