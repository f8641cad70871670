use std::time::Duration;

use crate::harness::{START, TestNode};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_value_is_absent_from_the_millisecond_on_in_which_it_expires() {
    let node = TestNode::start();
    node.put("/kv/a?ttl=1h", "1").await.expect(201);
    node.advance(Duration::from_millis(3_599_999));
    node.get("/kv/a").await.expect(200);
    node.advance(Duration::from_millis(1));
    let at = START + 3_600_000;
    let expired = node.get("/kv/a").await;
    expired.refuses(404, "key-absent", &format!("expired at {at}"));
    assert_eq!(expired.json()["absence"], "expired");
    assert_eq!(expired.json()["since"], at);
    node.delete("/kv/a").await.refuses(404, "key-absent", "expired at");
    node.call("PUT /kv/a", &[("if-none-match", "*")], "2").await.expect(201);
}

#[tokio::test]
async fn the_header_is_as_good_as_the_parameter_and_both_must_agree() {
    let node = TestNode::start();
    let put = async |path: &str, ttl| node.call(path, &[("kvs-ttl", ttl)], "1").await;
    put("PUT /kv/a", "1h").await.expect(201);
    put("PUT /kv/a?ttl=60m", "1h").await.expect(200);
    put("PUT /kv/a?ttl=61m", "1h").await.refuses(400, "header-malformed", "differs");
    node.advance(HOUR);
    node.get("/kv/a").await.expect(404);
}

#[tokio::test]
async fn a_second_is_the_least() {
    let node = TestNode::start();
    node.put("/kv/a?ttl=1s", "1").await.expect(201);
    node.put("/kv/a?ttl=999ms", "1").await.refuses(400, "query-malformed", "the least is 1s");
    for garbage in ["", "1", "x", "-1s", "1.5s", "36501d"] {
        let refused = node.put(&format!("/kv/a?ttl={garbage}"), "1").await;
        refused.refuses(400, "query-malformed", "parameter ttl");
        let refused = node.call("PUT /kv/a", &[("kvs-ttl", garbage)], "1").await;
        refused.refuses(400, "header-malformed", "kvs-ttl");
    }
    node.advance(Duration::from_secs(1));
    node.get("/kv/a").await.expect(404);
}

#[tokio::test]
async fn a_write_that_does_not_say_takes_the_prefix_s_time_else_the_node_s() {
    let node = TestNode::with(|settings| {
        settings.default_ttl = Some(kvs_config::Duration::hours(2));
    });
    node.put("/kv/short/_metadata", "{\"ttl\":\"1h\"}").await.expect(200);
    for path in ["/kv/short/a", "/kv/other", "/kv/short/long?ttl=3h"] {
        node.put(path, "1").await.expect(201);
    }
    node.advance(HOUR);
    node.get("/kv/short/a").await.expect(404);
    node.get("/kv/other").await.expect(200);
    node.advance(HOUR);
    node.get("/kv/other").await.expect(404);
    node.get("/kv/short/long").await.expect(200);
}

#[tokio::test]
async fn a_plain_write_ends_the_time_to_live_and_a_patch_keeps_it() {
    let node = TestNode::start();
    node.put("/kv/a?ttl=1h", "{}").await;
    node.put("/kv/b?ttl=1h", "{}").await;
    node.put("/kv/a", "{}").await.expect(200);
    node.call("PATCH /kv/b", &[], "{\"x\":1}").await.expect(200);
    node.advance(HOUR);
    node.get("/kv/a").await.expect(200);
    node.get("/kv/b").await.refuses(404, "key-absent", "expired at");
}
