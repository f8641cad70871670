//! What a person tells a node to do.

use crate::harness::TestNode;

const HERE: &[(&str, &str)] = &[("content-type", "application/json")];

#[tokio::test]
async fn a_node_refuses_writes_while_it_is_told_to() {
    let node = TestNode::start();
    let told = node.call("POST /cluster/mode", HERE, r#"{"mode":"read_only"}"#).await.expect(200);
    assert_eq!(told.json()["mode"], "read_only");
    node.put("/kv/a", "1").await.refuses(403, "read-only", "read-only mode");
    node.get("/readyz").await.expect(200);
    node.call("POST /cluster/mode", HERE, r#"{"mode":"normal"}"#).await.expect(200);
    node.put("/kv/a", "1").await.expect(201);
    let wrong = node.call("POST /cluster/mode", HERE, r#"{"mode":"other"}"#).await;
    wrong.refuses(422, "content-wrong", "mode");
}

#[tokio::test]
async fn a_configuration_that_says_read_only_counts_more() {
    let node = TestNode::with(|settings| settings.read_only = true);
    let told = node.call("POST /cluster/mode", HERE, r#"{"mode":"normal"}"#).await;
    told.refuses(409, "read-only-configured", "read_only: true");
}

#[tokio::test]
async fn a_node_that_drains_is_not_ready_and_answers_until_it_is_told_to_go_on() {
    let node = TestNode::start();
    let drained = node.call("POST /cluster/drain", &[], "").await.expect(200);
    assert_eq!(drained.json()["flushed"], false, "there is nobody to send anything to");
    node.get("/readyz").await.refuses(503, "not-ready", "draining");
    assert_eq!(node.get("/health").await.expect(200).json()["status"], "draining");
    node.put("/kv/a", "1").await.expect(201);
    node.call("POST /cluster/mode", HERE, r#"{"mode":"normal"}"#).await.expect(200);
    node.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn what_changes_the_cluster_is_taken_only_from_this_machine() {
    let node = TestNode::start();
    let elsewhere = node.seen_from("10.0.0.7");
    for route in ["sync", "mode", "drain", "leave", "forget"] {
        let line = format!("POST /cluster/{route}");
        elsewhere.call(&line, HERE, "{}").await.refuses(403, "not-here", "only from the machine");
        let page = [("origin", "http://evil.example"), ("host", "127.0.0.1:8080")];
        node.call(&line, &page, "{}").await.refuses(403, "foreign-page", "another origin");
    }
    elsewhere.get("/health").await.expect(200);
    let own = [("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")];
    node.call("POST /cluster/drain", &own, "").await.expect(200);
}

#[tokio::test]
async fn pages_of_another_origin_change_nothing_where_nobody_is_asked_who_they_are() {
    let own = [("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")];
    let secure = [("origin", "https://127.0.0.1:8080"), ("host", "127.0.0.1:8080")];
    let page = [("origin", "http://evil.example"), ("host", "127.0.0.1:8080")];
    let sandboxed = [("origin", "null"), ("host", "127.0.0.1:8080")];
    let batch = r#"{"items":[{"op":"put","key":"a","value":1}]}"#;
    let node = TestNode::start();
    for line in ["PUT /kv/a", "DELETE /kv/a", "POST /kv/_batch"] {
        for headers in [&page, &sandboxed] {
            let refused = node.call(line, headers, batch).await;
            refused.refuses(403, "foreign-page", "cors_allowed_origins");
        }
    }
    assert_eq!(node.call("GET /kv/a", &page, "").await.status, 404);
    for headers in [&own, &secure] {
        node.call("PUT /kv/a", headers, "1").await;
        node.get("/kv/a").await.expect(200);
        node.delete("/kv/a").await.expect(204);
    }

    for (allowed, may) in [("http://evil.example", 201), ("*", 201), ("http://evil.exampl", 403)] {
        let node = TestNode::with(|settings| settings.cors_allowed_origins = vec![allowed.into()]);
        node.call("PUT /kv/a", &page, "1").await.expect(may);
    }
}

#[tokio::test]
async fn a_node_that_stands_alone_has_no_cluster_to_leave() {
    let node = TestNode::start();
    let left = node.call("POST /cluster/leave", &[], "").await;
    left.refuses(404, "switched-off", "clustering_enabled");
    let forgotten = node.call("POST /cluster/forget", HERE, r#"{"node":"node2"}"#).await;
    forgotten.refuses(404, "switched-off", "clustering_enabled");
}
