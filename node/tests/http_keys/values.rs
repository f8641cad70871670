use crate::harness::{START, TestNode};

#[tokio::test]
async fn json_comes_back_byte_for_byte_with_its_version() {
    let node = TestNode::start();
    let sent = "{ \"b\": 1.00,\n \"a\": [1e400, \"\\u00e9 é\"] } ";
    let written = node.put("/kv/home/room", sent).await.expect(201);
    let uuid = written.uuid();
    assert_eq!(written.json()["timestamp"], START);
    assert_eq!(written.header("etag"), format!("\"{uuid}\""));

    let read = node.get("/kv/home/room").await.expect(200);
    let expected = format!("{{\"uuid\":\"{uuid}\",\"timestamp\":{START},\"data\":{sent}}}");
    assert_eq!(read.text(), expected);
    assert_eq!(read.header("content-type"), "application/json");
    assert_eq!(read.header("etag"), format!("\"{uuid}\""));
    assert_eq!(read.header("last-modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
}

#[tokio::test]
async fn the_first_write_creates_and_the_next_overwrites() {
    let node = TestNode::start();
    node.put("/kv/a", "1").await.expect(201);
    node.put("/kv/a", "2").await.expect(200);
    node.delete("/kv/a").await.expect(204);
    node.put("/kv/a", "3").await.expect(201);
    assert_eq!(node.get("/kv/a").await.json()["data"], 3);
}

#[tokio::test]
async fn a_body_without_type_and_one_of_curl_are_json() {
    let node = TestNode::start();
    for kind in ["application/x-www-form-urlencoded", "APPLICATION/JSON; charset=utf-8"] {
        node.call("PUT /kv/a", &[("content-type", kind)], "{\"a\":1}").await;
        assert_eq!(node.get("/kv/a").await.json()["data"]["a"], 1, "{kind}");
        let refused = node.call("PUT /kv/a", &[("content-type", kind)], "a=1").await;
        refused.refuses(400, "json-malformed", "not JSON: expected value at line 1 column 1");
    }
    node.put("/kv/a", "").await.refuses(400, "json-malformed", "EOF while parsing");
    node.put("/kv/a", &b"\"\xff\""[..]).await.refuses(400, "json-malformed", "not UTF-8 at byte 1");
}

#[tokio::test]
async fn bytes_of_another_type_come_back_with_it() {
    let node = TestNode::start();
    let bytes = [0u8, 159, 146, 150, b'"'];
    let kind = "image/png; note=\"a\\b\"";
    node.call("PUT /kv/a", &[("content-type", kind)], bytes.to_vec()).await.expect(201);
    let read = node.get("/kv/a").await.expect(200).json();
    assert_eq!(read["content_type"], kind);
    assert_eq!(read["data_base64"], "AJ+SliI=");
    assert!(read.get("data").is_none());
    let raw = node.get("/kv/a?raw").await.expect(200);
    assert_eq!(&raw.body[..], bytes);
    assert_eq!(raw.header("content-type"), kind);
}

#[tokio::test]
async fn malformed_types_and_encoded_or_partial_bodies_are_refused() {
    let node = TestNode::start();
    let put = async |header, value| node.call("PUT /kv/a", &[(header, value)], "1").await;
    put("content-type", "nothing").await.refuses(415, "content-type-malformed", "\"nothing\"");
    put("content-encoding", "gzip").await.refuses(415, "content-type-not-taken", "gzip");
    put("content-encoding", "identity").await.expect(201);
    put("content-range", "bytes 0-1/5").await.refuses(400, "header-malformed", "content-range");
}

#[tokio::test]
async fn raw_answers_cannot_act_as_a_page_of_ours() {
    let node = TestNode::start();
    for (kind, disposition) in [
        ("application/json", ""),
        ("text/plain; charset=utf-8", ""),
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
    ] {
        node.call("PUT /kv/a", &[("content-type", kind)], "{}").await;
        let raw = node.get("/kv/a?raw").await.expect(200);
        assert_eq!(raw.text(), "{}");
        assert_eq!(raw.header("content-type"), kind);
        assert_eq!(raw.header("x-content-type-options"), "nosniff");
        assert_eq!(raw.header("content-security-policy"), "sandbox");
        assert_eq!(raw.header("content-disposition"), disposition, "{kind}");
    }
}

#[tokio::test]
async fn head_answers_the_headers_of_get_and_no_body() {
    let node = TestNode::start();
    node.put("/kv/a", "[1, 2]").await;
    for path in ["/kv/a", "/kv/a?raw"] {
        let got = node.get(path).await.expect(200);
        let head = node.call(&format!("HEAD {path}"), &[], "").await.expect(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), got.body.len().to_string());
        for name in ["content-type", "etag", "last-modified"] {
            assert_eq!(head.header(name), got.header(name));
        }
    }
    assert!(node.call("HEAD /kv/b", &[], "").await.expect(404).body.is_empty());
}

#[tokio::test]
async fn large_values_survive_compression() {
    let node = TestNode::start();
    let large = format!("\"{}\"", "tick tock ".repeat(50_000));
    node.put("/kv/a", large.clone()).await.expect(201);
    assert_eq!(node.get("/kv/a?raw").await.text(), large);
    let node = TestNode::with(|settings| settings.compression_enabled = false);
    node.put("/kv/a", large.clone()).await.expect(201);
    assert_eq!(node.get("/kv/a?raw").await.text(), large);
}

#[tokio::test]
async fn an_absent_key_says_why() {
    let node = TestNode::start();
    let never = node.get("/kv/a").await;
    never.refuses(404, "key-absent", "never written");
    assert_eq!(never.json()["absence"], "never-written");
    assert!(never.json().get("since").is_none());

    node.put("/kv/a", "1").await;
    node.delete("/kv/a").await.expect(204);
    for path in ["/kv/a", "/kv/a?raw"] {
        let deleted = node.get(path).await;
        deleted.refuses(404, "key-absent", &format!("deleted at {START}"));
        assert_eq!(deleted.json()["absence"], "deleted");
        assert_eq!(deleted.json()["since"], START);
    }
    node.delete("/kv/a").await.refuses(404, "key-absent", "deleted at");
    node.delete("/kv/b").await.refuses(404, "key-absent", "never written");
}

#[tokio::test]
async fn unknown_and_malformed_parameters_are_refused_by_name() {
    let node = TestNode::start();
    node.get("/kv/a?rw").await.refuses(
        400,
        "query-malformed",
        "rw: is unknown; this route takes raw",
    );
    node.get("/kv/a?raw=maybe").await.refuses(400, "query-malformed", "raw: is a switch");
    node.get("/kv/a?raw&raw").await.refuses(400, "query-malformed", "more than once");
    node.get("/kv/a?revision=x").await.refuses(
        400,
        "query-malformed",
        "revision: must be the uuid",
    );
    node.put("/kv/a?raw", "1").await.refuses(400, "query-malformed", "raw: is unknown");
    node.delete("/kv/a?raw").await.refuses(400, "query-malformed", "takes none");
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_work() {
    let node = TestNode::start();
    let refused = node.call("POST /kv/a", &[], "1").await;
    refused.refuses(405, "method-not-allowed", "GET, HEAD, PUT, PATCH, DELETE");
    assert_eq!(refused.header("allow"), "GET, HEAD, PUT, PATCH, DELETE");
}

#[tokio::test]
async fn a_route_of_a_feature_that_is_off_names_its_switch() {
    let node = TestNode::start();
    let table = [
        ("/api/users", "auth_enabled is off"),
        ("/api/tokens/x", "auth_enabled is off"),
        ("/api/audit/head", "tamper_logging_enabled is off"),
        ("/cluster", "clustering_enabled is off"),
    ];
    for (path, reason) in table {
        node.get(path).await.refuses(404, "switched-off", reason);
    }
    node.get("/api/usersx").await.refuses(404, "no-route", "no such route");
}

#[tokio::test]
async fn a_read_only_node_reads_and_does_not_write() {
    let node = TestNode::with(|settings| settings.read_only = true);
    for line in ["PUT /kv/a", "PATCH /kv/a", "DELETE /kv/a", "PUT /kv/a/_metadata"] {
        node.call(line, &[], "{}").await.refuses(403, "read-only", "read-only mode");
    }
    node.get("/kv/a").await.refuses(404, "key-absent", "never written");
}
