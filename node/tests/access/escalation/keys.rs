//! Owners, modes and lives of keys.

use serde_json::{Value as Json, json};

use super::Attempts;
use crate::harness::Guarded;

#[tokio::test]
async fn nobody_gets_round_owners_modes_and_lives_of_keys() {
    let node = Guarded::start().await;
    let mut tried = Attempts::default();
    let ann = node.user("ann", &["read", "write"]).await;
    let ben = node.user("ben", &["read", "write", "delete"]).await;
    let ben_id = node.user_id("ben").await;
    let group = node.as_root("POST /api/groups", r#"{"name":"others"}"#).await.expect(201).json();
    node.call(&ann, "PUT /kv/ann/notes", "1").await.expect(201);
    node.call(&ann, "PATCH /kv/ann/notes/_metadata", r#"{"mode":"cdwr--------"}"#)
        .await
        .expect(200);
    let by =
        async |token: &str, line: &str, body: Json| node.call(token, line, body.to_string()).await;
    let meta = "PATCH /kv/ann/notes/_metadata";
    tried
        .refused(
            &node,
            "somebody reads a private key",
            &by(&ben, "GET /kv/ann/notes", Json::Null).await,
            404,
            "key-absent",
        )
        .await;
    tried
        .refused(
            &node,
            "somebody writes a private key",
            &by(&ben, "PUT /kv/ann/notes", json!(2)).await,
            403,
            "mode-denies",
        )
        .await;
    tried
        .refused(
            &node,
            "somebody deletes a private key",
            &by(&ben, "DELETE /kv/ann/notes", Json::Null).await,
            404,
            "key-absent",
        )
        .await;
    tried
        .refused(
            &node,
            "somebody opens a private key's mode",
            &by(&ben, meta, json!({"mode":"cdwrcdwrcdwr"})).await,
            404,
            "key-absent",
        )
        .await;
    tried
        .refused(
            &node,
            "somebody makes a private key their own",
            &by(&ben, meta, json!({"owner":ben_id})).await,
            404,
            "key-absent",
        )
        .await;
    tried
        .refused(
            &node,
            "an owner gives their key away",
            &by(&ann, meta, json!({"owner":ben_id})).await,
            403,
            "scope-missing",
        )
        .await;
    tried
        .refused(
            &node,
            "an owner clears the owner",
            &by(&ann, "PUT /kv/ann/notes/_metadata", json!({"owner":ben_id})).await,
            403,
            "scope-missing",
        )
        .await;
    tried
        .refused(
            &node,
            "an owner gives their key to a group of others",
            &by(&ann, meta, json!({"group":group["id"]})).await,
            403,
            "mode-denies",
        )
        .await;
    tried
        .refused(
            &node,
            "somebody governs the prefix above others' keys",
            &by(&ben, "PATCH /kv/ann/_metadata", json!({"mode":"cdwrcdwrcdwr"})).await,
            403,
            "mode-denies",
        )
        .await;
    tried
        .refused(
            &node,
            "an owner without the right deletes by a life of a second",
            &by(&ann, "PUT /kv/ann/notes?ttl=1s", json!(2)).await,
            403,
            "scope-missing",
        )
        .await;
    let items = json!({"items":[{"op":"put","key":"ann/notes","value":1,"ttl":"1s"},{"op":"delete","key":"ann/notes"}]});
    let batch = by(&ann, "POST /kv/_batch", items).await.expect(200).json();
    assert_eq!(
        (&batch["items"][0]["status"], &batch["items"][1]["status"]),
        (&json!(403), &json!(403))
    );
    let headers = |value: &'static str| {
        [("authorization", format!("Bearer {ben}")), ("if-none-match", value.to_owned())]
    };
    let probing = headers("*");
    let probing: Vec<(&str, &str)> =
        probing.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let probe = node.send("PUT /kv/ann/notes", &probing, "1").await;
    tried
        .refused(
            &node,
            "somebody asks by a condition whether a private key is there",
            &probe,
            403,
            "mode-denies",
        )
        .await;

    // A key that was deleted and is another's by now shows nothing of the first one's.
    node.as_root("PUT /kv/box/_metadata", json!({"mode":"cdwr----cdw-"}).to_string())
        .await
        .expect(200);
    node.call(&ann, "PUT /kv/box/diary", r#""secret""#).await.expect(201);
    let secret = node.call(&ann, "GET /kv/box/diary", "").await.expect(200).json();
    node.call(&ben, "DELETE /kv/box/diary", "").await.expect(204);
    node.call(&ben, "PUT /kv/box/diary", "2").await.expect(201);
    node.call(&ben, "GET /kv/box/diary", "").await.expect(200);
    let revision = format!("GET /kv/box/diary?revision={}", secret["uuid"].as_str().unwrap());
    tried
        .refused(
            &node,
            "a new owner reads a revision of the old one's",
            &by(&ben, &revision, Json::Null).await,
            404,
            "revision-absent",
        )
        .await;
    let restore = by(&ben, "POST /kv/box/diary/_restore", json!({"uuid":secret["uuid"]})).await;
    tried
        .refused(
            &node,
            "a new owner restores a revision of the old one's",
            &restore,
            404,
            "revision-absent",
        )
        .await;
    let history = node.call(&ben, "GET /kv/box/diary/_history", "").await.expect(200).text();
    assert!(!history.contains(secret["uuid"].as_str().unwrap()), "{history}");
    let other = by(&ben, "POST /kv/box/mine/_restore", json!({"uuid":secret["uuid"]})).await;
    tried
        .refused(
            &node,
            "a revision of one key is restored to another",
            &other,
            404,
            "revision-absent",
        )
        .await;

    let home = node.user("home", &["read:home", "write:home", "admin:resources:update:home"]).await;
    for (name, line) in [
        ("a limited reader reads what only begins alike", "GET /kv/homework"),
        ("a limited reader reads the key above", "GET /kv/house"),
        ("a limited writer writes elsewhere", "PUT /kv/house/x"),
        ("a limited keeper of owners changes one elsewhere", "PATCH /kv/ann/notes/_metadata"),
    ] {
        tried
            .refused(
                &node,
                name,
                &by(&home, line, json!({"owner":ben_id})).await,
                403,
                "scope-missing",
            )
            .await;
    }
    tried
        .refused(
            &node,
            "a limited reader climbs up",
            &by(&home, "GET /kv/home/../ann/notes", Json::Null).await,
            400,
            "key-malformed",
        )
        .await;
    tried
        .refused(
            &node,
            "a limited reader hides a slash",
            &by(&home, "GET /kv/home%2F..%2Fann", Json::Null).await,
            400,
            "key-malformed",
        )
        .await;
    tried.at_least(20);
    node.stop().await;
}

#[tokio::test]
async fn a_life_that_nobody_asked_for_is_no_way_to_delete() {
    let node = Guarded::start().await;
    let mut tried = Attempts::default();
    let writer = node.user("writer", &["read", "write"]).await;
    let call = async |line: &str, body: &str| node.call(&writer, line, body.to_owned()).await;
    call("PUT /kv/mine/a", "1").await.expect(201);
    call("PATCH /kv/mine/_metadata", r#"{"ttl":"1s"}"#).await.expect(200);
    let put = call("PUT /kv/mine/a", "2").await;
    tried
        .refused(&node, "a writer lets the prefix's life end a key", &put, 403, "scope-missing")
        .await;
    let batch = r#"{"items":[{"op":"put","key":"mine/a","value":2}]}"#;
    let batch = call("POST /kv/_batch", batch).await.expect(200);
    assert_eq!(batch.json()["items"][0]["status"], 403, "{}", batch.text());
    assert_eq!(call("GET /kv/mine/a", "").await.expect(200).json()["data"], 1);
    call("PUT /kv/mine/b", "new ones live as long as they are told").await;

    let node = Guarded::with(|settings| {
        settings.allow_anonymous_write = true;
        settings.default_ttl = Some(kvs_config::Duration::seconds(1));
    })
    .await;
    let mut tried = Attempts::default();
    node.as_root("PUT /kv/open?ttl=30d", "1").await.expect(201);
    node.as_root("PATCH /kv/open/_metadata", r#"{"mode":"cdwrcdwrcdwr"}"#).await.expect(200);
    let put = node.call("", "PUT /kv/open", "2").await;
    let name = "somebody without a name lets the default life end a key";
    tried.refused(&node, name, &put, 401, "credentials-missing").await;
    node.as_root("GET /kv/open", "").await.expect(200);
}
