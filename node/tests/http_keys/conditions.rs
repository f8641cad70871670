use crate::harness::{Answered, TestNode};

const NONE: &str = "\"00000000-0000-0000-0000-000000000000\"";

async fn put_if(node: &TestNode, header: &str, value: &str) -> Answered {
    node.call("PUT /kv/a", &[(header, value)], "1").await
}

#[tokio::test]
async fn if_none_match_star_writes_only_where_nothing_is() {
    let node = TestNode::start();
    let uuid = put_if(&node, "if-none-match", "*").await.expect(201).uuid();
    put_if(&node, "if-none-match", "*").await.refuses(412, "condition-failed", &uuid);
    node.delete("/kv/a").await.expect(204);
    put_if(&node, "if-none-match", "*").await.expect(201);
}

#[tokio::test]
async fn if_match_writes_only_over_what_it_names() {
    let node = TestNode::start();
    put_if(&node, "if-match", "*").await.refuses(412, "condition-failed", "the key is absent");
    let tag = node.put("/kv/a", "1").await.header("etag").to_owned();
    put_if(&node, "if-match", NONE).await.refuses(412, "condition-failed", "current version");
    let next = put_if(&node, "if-match", &format!("{NONE}, {tag}")).await.expect(200);
    put_if(&node, "if-match", &tag).await.refuses(412, "condition-failed", &next.uuid());
    put_if(&node, "if-match", "*").await.expect(200);
}

#[tokio::test]
async fn if_none_match_with_tags_writes_over_all_others() {
    let node = TestNode::start();
    put_if(&node, "if-none-match", NONE).await.expect(201);
    let tag = node.put("/kv/a", "1").await.header("etag").to_owned();
    put_if(&node, "if-none-match", &tag).await.refuses(412, "condition-failed", "current");
    put_if(&node, "if-none-match", NONE).await.expect(200);
}

#[tokio::test]
async fn deletes_and_patches_honour_if_match() {
    let node = TestNode::start();
    let tag = node.put("/kv/a", "{}").await.header("etag").to_owned();
    for line in ["DELETE /kv/a", "PATCH /kv/a"] {
        let refused = node.call(line, &[("if-match", NONE)], "{}").await;
        refused.refuses(412, "condition-failed", "current version");
    }
    let patched = node.call("PATCH /kv/a", &[("if-match", &tag)], "{\"a\":1}").await.expect(200);
    let tag = patched.header("etag");
    node.call("DELETE /kv/a", &[("if-match", tag)], "").await.expect(204);
}

#[tokio::test]
async fn malformed_conditions_are_refused() {
    let node = TestNode::start();
    for header in ["if-match", "if-none-match"] {
        for value in ["x", "\"x\"", "", &format!("W/{NONE}"), NONE.trim_matches('"')] {
            put_if(&node, header, value).await.refuses(400, "header-malformed", header);
        }
    }
    let both = [("if-match", "*"), ("if-none-match", "*")];
    node.call("PUT /kv/a", &both, "1").await.refuses(400, "header-malformed", "give one");
}

#[tokio::test]
async fn what_the_reader_has_is_not_sent_again() {
    let node = TestNode::start();
    let tag = node.put("/kv/a", "1").await.header("etag").to_owned();
    let get = async |name, value: &str| node.call("GET /kv/a", &[(name, value)], "").await;
    for known in [&tag, "*", &format!("W/{tag}"), &format!("{NONE}, {tag}")] {
        let same = get("if-none-match", known).await.expect(304);
        assert!(same.body.is_empty());
        assert_eq!(same.header("etag"), tag);
        assert_eq!(same.header("last-modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
    }
    get("if-none-match", NONE).await.expect(200);
    get("if-none-match", "garbage").await.expect(200);
    get("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT").await.expect(304);
    get("if-modified-since", "Tue, 14 Nov 2023 22:13:19 GMT").await.expect(200);
    get("if-modified-since", "garbage").await.expect(200);
    let both = [("if-none-match", NONE), ("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT")];
    node.call("GET /kv/a", &both, "").await.expect(200);
}
