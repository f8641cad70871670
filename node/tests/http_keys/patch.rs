use std::sync::Arc;

use futures_util::future::join_all;

use crate::harness::TestNode;

const MERGE_PATCH: &[(&str, &str)] = &[("content-type", "application/merge-patch+json")];

#[tokio::test]
async fn members_replace_nulls_remove_and_the_rest_keeps_its_bytes() {
    let node = TestNode::start();
    node.put("/kv/a", "{\"x\": 1.00, \"y\": {\"z\": true, \"w\": 2}}").await;
    let patch = "{\"y\":{\"z\":null},\"n\":3}";
    let patched = node.call("PATCH /kv/a", MERGE_PATCH, patch).await.expect(200);
    let read = node.get("/kv/a").await;
    assert_eq!(read.uuid(), patched.uuid());
    assert_eq!(node.get("/kv/a?raw").await.text(), "{\"x\":1.00,\"y\":{\"w\":2},\"n\":3}");
}

#[tokio::test]
async fn what_is_absent_is_not_made_by_a_patch() {
    let node = TestNode::start();
    let patch = async || node.call("PATCH /kv/a", MERGE_PATCH, "{\"a\":1}").await;
    patch().await.refuses(404, "key-absent", "never written");
    node.put("/kv/a", "1").await;
    node.delete("/kv/a").await;
    patch().await.refuses(404, "key-absent", "deleted at");
}

#[tokio::test]
async fn what_is_not_json_is_neither_patch_nor_patched() {
    let node = TestNode::start();
    node.call("PUT /kv/a", &[("content-type", "text/plain")], "{}").await;
    let patch = async |kind, body| node.call("PATCH /kv/a", &[("content-type", kind)], body).await;
    patch("application/json", "{}").await.refuses(
        422,
        "content-wrong",
        "what is stored is text/plain",
    );
    patch("application/json", "{").await.refuses(400, "json-malformed", "EOF");
    let refused = patch("application/json-patch+json", "[]").await;
    refused.refuses(415, "content-type-not-taken", "application/merge-patch+json");
}

#[tokio::test]
async fn a_patch_that_makes_a_value_too_large_or_too_deep_is_refused() {
    let node = TestNode::with(|settings| {
        settings.limits.value_size = kvs_config::Size::kib(1);
        settings.limits.json_depth = 3;
    });
    let patch = async |body: String| node.call("PATCH /kv/a", MERGE_PATCH, body).await;
    node.put("/kv/a", "{\"a\":\"\"}").await.expect(201);
    // {"a":"","b":"…"} has 15 bytes beside the text.
    patch(format!("{{\"b\":\"{}\"}}", "x".repeat(1024 - 15))).await.expect(200);
    assert_eq!(node.get("/kv/a?raw").await.body.len(), 1024);
    patch("{\"a\":\"x\"}".to_owned()).await.refuses(413, "too-large", "1024 bytes");
    node.put("/kv/a", "{}").await.expect(200);
    patch("{\"a\":[[1]]}".to_owned()).await.expect(200);
    patch("{\"a\":[[[1]]]}".to_owned()).await.refuses(400, "json-malformed", "more than 3 deep");
}

#[tokio::test]
async fn patches_at_the_same_time_all_count() {
    let node = Arc::new(TestNode::start());
    node.put("/kv/a", "{}").await;
    let patches = (0..8).map(|n| {
        let node = node.clone();
        async move { node.call("PATCH /kv/a", MERGE_PATCH, format!("{{\"k{n}\":{n}}}")).await }
    });
    for answer in join_all(patches).await {
        answer.expect(200);
    }
    let read = node.get("/kv/a").await.json();
    assert_eq!(read["data"].as_object().unwrap().len(), 8);
}
