use std::time::Duration;

use serde_json::json;

use crate::harness::{START, TestNode};

async fn restore(node: &TestNode, path: &str, uuid: &str) -> crate::harness::Answered {
    node.call(&format!("POST {path}/_restore"), &[], json!({"uuid": uuid}).to_string()).await
}

#[tokio::test]
async fn versions_are_listed_newest_first_with_why_they_are_not_current() {
    let node = TestNode::start();
    let first = node.put("/kv/a", "1").await.uuid();
    node.delete("/kv/a").await.expect(204);
    node.advance(Duration::from_millis(5));
    let kind = [("content-type", "text/plain")];
    let last = node.call("PUT /kv/a", &kind, "hello").await.uuid();
    let list = node.get("/kv/a/_history").await.expect(200).json();
    let items = list["items"].as_array().unwrap();
    let get = |at: usize, name: &str| items[at][name].clone();
    assert_eq!(items.len(), 3);
    assert_eq!((get(0, "uuid"), get(0, "current")), (json!(last), json!(true)));
    assert_eq!((get(0, "superseded"), get(0, "op")), (json!(null), json!("put")));
    assert_eq!((get(0, "size"), get(0, "content_type")), (json!(5), json!("text/plain")));
    assert_eq!(get(0, "timestamp"), json!(START + 5));
    assert_eq!((get(1, "op"), get(1, "size")), (json!("delete"), json!(null)));
    assert_eq!((get(2, "uuid"), get(2, "superseded")), (json!(first), json!("older")));
    assert_eq!(
        (get(2, "current"), get(2, "content_type")),
        (json!(false), json!("application/json"))
    );
    assert_eq!(list["next"], json!(null));
}

#[tokio::test]
async fn pages_join_without_gap_or_overlap() {
    let node = TestNode::with(|settings| settings.revisions = 10);
    let mut written = Vec::new();
    for n in 0..5 {
        written.insert(0, node.put("/kv/a", n.to_string()).await.uuid());
    }
    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let page = node.get(&format!("/kv/a/_history?limit=2{after}")).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        listed.extend(items.iter().map(|item| item["uuid"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(listed, written);
    node.get("/kv/a/_history?limit=1000").await.expect(200);
    for bad in ["limit=0", "limit=1001", "limit=x"] {
        let refused = node.get(&format!("/kv/a/_history?{bad}")).await;
        refused.refuses(400, "query-malformed", "from 1 to 1000");
    }
    node.get("/kv/a/_history?after=x").await.refuses(400, "cursor-malformed", "not a cursor");
}

#[tokio::test]
async fn no_more_revisions_are_kept_than_asked_for() {
    let node = TestNode::start();
    let mut written = Vec::new();
    for n in 0..6 {
        written.push(node.put("/kv/a", n.to_string()).await.uuid());
    }
    let list = node.get("/kv/a/_history").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 4, "the current one and three");
    let read = async |uuid: &str| node.get(&format!("/kv/a?revision={uuid}")).await;
    read(&written[1]).await.refuses(404, "revision-absent", &written[1]);
    assert_eq!(read(&written[2]).await.expect(200).json()["data"], 2);
    assert_eq!(read(&written[5]).await.expect(200).json()["data"], 5);
}

#[tokio::test]
async fn an_older_version_reads_as_it_was() {
    let node = TestNode::start();
    let first = node.put("/kv/a", "{\"v\": 1}").await.uuid();
    node.put("/kv/a", "2").await;
    let read = node.get(&format!("/kv/a?revision={first}")).await.expect(200);
    assert_eq!(read.uuid(), first);
    assert_eq!(read.header("etag"), format!("\"{first}\""));
    let raw = node.get(&format!("/kv/a?raw&revision={first}")).await.expect(200);
    assert_eq!(raw.text(), "{\"v\": 1}");
    node.delete("/kv/a").await;
    node.get(&format!("/kv/a?revision={first}")).await.expect(200);
}

#[tokio::test]
async fn a_restored_revision_is_a_new_version() {
    let node = TestNode::start();
    let first = node.put("/kv/a", "{\"v\": 1}").await.uuid();
    let second = node.put("/kv/a", "2").await.uuid();
    node.delete("/kv/a").await;
    let restored = restore(&node, "/kv/a", &first).await.expect(200).uuid();
    assert!(restored != first && restored != second);
    assert_eq!(node.get("/kv/a?raw").await.text(), "{\"v\": 1}");
    assert_eq!(node.get("/kv/a").await.uuid(), restored);
}

#[tokio::test]
async fn what_was_never_kept_or_was_a_delete_cannot_be_restored() {
    let node = TestNode::start();
    node.put("/kv/a", "1").await;
    node.delete("/kv/a").await;
    let list = node.get("/kv/a/_history").await.json();
    let tombstone = list["items"][0]["uuid"].as_str().unwrap();
    restore(&node, "/kv/a", tombstone).await.refuses(422, "content-wrong", "deleted at");
    node.get(&format!("/kv/a?revision={tombstone}")).await.refuses(404, "key-absent", "deleted at");
    let none = "00000000-0000-0000-0000-000000000000";
    restore(&node, "/kv/a", none).await.refuses(404, "revision-absent", none);
    restore(&node, "/kv/b", none).await.refuses(404, "revision-absent", none);
    restore(&node, "/kv/a", "x").await.refuses(422, "content-wrong", "uuid");
    let post = async |body| node.call("POST /kv/a/_restore", &[], body).await;
    post("{").await.refuses(400, "json-malformed", "EOF");
    post("{}").await.refuses(422, "content-wrong", "missing field `uuid`");
    post("[\"00000000-0000-0000-0000-000000000000\"]").await.refuses(
        422,
        "content-wrong",
        "an object",
    );
    post("{\"uuid\":1,\"x\":2}").await.refuses(422, "content-wrong", "uuid");
}

#[tokio::test]
async fn restoring_honours_conditions_and_the_time_to_live() {
    let node = TestNode::start();
    let first = node.put("/kv/a", "1").await.uuid();
    node.put("/kv/a?ttl=1h", "2").await;
    let body = json!({"uuid": first}).to_string();
    let stale = [("if-match", format!("\"{first}\""))];
    let stale: Vec<_> = stale.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = node.call("POST /kv/a/_restore", &stale, body).await;
    refused.refuses(412, "condition-failed", "current version");
    restore(&node, "/kv/a", &first).await.expect(200);
    node.advance(Duration::from_hours(1));
    node.get("/kv/a").await.refuses(404, "key-absent", "expired at");
}

#[tokio::test]
async fn a_key_without_versions_has_no_history() {
    let node = TestNode::start();
    node.get("/kv/a/_history").await.refuses(404, "key-absent", "never written");
}

#[tokio::test]
async fn without_revision_history_its_routes_name_the_switch() {
    let node = TestNode::with(|settings| settings.revision_history_enabled = false);
    let uuid = node.put("/kv/a", "1").await.uuid();
    let switch = "revision_history_enabled is off";
    node.get("/kv/a/_history").await.refuses(404, "switched-off", switch);
    node.get(&format!("/kv/a?revision={uuid}")).await.refuses(404, "switched-off", switch);
    restore(&node, "/kv/a", &uuid).await.refuses(404, "switched-off", switch);
}
