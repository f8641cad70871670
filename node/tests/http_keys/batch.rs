use kvs_client::BatchOutcome::{Deleted, Failed, Read, Written};
use kvs_config::Size;
use serde_json::{Value, json};

use crate::harness::{Answered, START, TestNode};

async fn batch(node: &TestNode, items: Value) -> Answered {
    send(node, json!({"items": items}).to_string()).await
}

async fn send(node: &TestNode, body: String) -> Answered {
    node.call("POST /kv/_batch", &[("content-type", "application/json")], body).await
}

fn statuses(answer: &Answered) -> Vec<u64> {
    let answer = answer.json();
    answer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["status"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn items_are_answered_in_their_places_and_gets_see_every_write() {
    let node = TestNode::start();
    node.put("/kv/old", "1").await;
    let answer = batch(
        &node,
        json!([
            {"op": "get", "key": "a/b"},
            {"op": "put", "key": "a/b", "value": {"x": 1}},
            {"op": "put", "key": "old", "value": null},
            {"op": "put", "key": "bin", "content_type": "text/plain", "data_base64": "aGk="},
            {"op": "delete", "key": "gone"},
            {"op": "put", "key": "gone", "value": 1},
            {"op": "delete", "key": "gone"},
            {"op": "get", "key": "gone"},
            {"op": "get", "key": "bin"},
            {"op": "get", "key": "old"},
        ]),
    );
    let answer = answer.await.expect(200);
    assert_eq!(statuses(&answer), [200, 201, 200, 201, 404, 201, 204, 404, 200, 200]);
    let items = answer.json()["items"].clone();
    assert_eq!(items[0]["data"], json!({"x": 1}));
    assert_eq!(items[0]["uuid"], items[1]["uuid"]);
    assert_eq!(items[1]["timestamp"], START);
    assert_eq!(items[4]["problem"]["absence"], "never-written");
    assert_eq!(items[6], json!({"status": 204}));
    assert_eq!(items[7]["problem"]["absence"], "deleted");
    assert_eq!(
        (&items[8]["content_type"], &items[8]["data_base64"]),
        (&json!("text/plain"), &json!("aGk="))
    );
    assert_eq!(items[9]["data"], json!(null));
    assert_eq!(node.get("/kv/bin?raw").await.text(), "hi");
}

#[tokio::test]
async fn the_client_s_types_read_every_answer() {
    let node = TestNode::start();
    let items = vec![
        kvs_client::BatchItem::put("a", kvs_client::Value::json(&json!({"x": [1, 2]})).unwrap()),
        kvs_client::BatchItem::put("b", kvs_client::Value::bytes("image/png", vec![0u8, 255])),
        kvs_client::BatchItem::get("b"),
        kvs_client::BatchItem::delete("a"),
        kvs_client::BatchItem::get("never"),
    ];
    let body = serde_json::to_string(&kvs_client::BatchRequest { items }).unwrap();
    let answer = send(&node, body).await.expect(200);
    let answer: kvs_client::BatchResponse = serde_json::from_slice(&answer.body).unwrap();
    assert!(matches!(answer.items[0].outcome, Written(_)));
    assert!(
        matches!(&answer.items[2].outcome, Read(stored) if stored.value.as_bytes() == [0, 255])
    );
    assert!(matches!(answer.items[3].outcome, Deleted));
    assert!(matches!(answer.items[4].outcome, Failed { .. }));
}

#[tokio::test]
async fn json_in_a_batch_keeps_its_bytes() {
    let node = TestNode::start();
    let value = "{ \"b\" : 1.00, \"a\":\"\\u00e9\" }";
    let body = format!("{{\"items\":[{{\"key\":\"a\\/b\",\"value\":{value},\"op\":\"put\"}}]}}");
    assert_eq!(statuses(&send(&node, body).await), [201]);
    assert_eq!(node.get("/kv/a/b?raw").await.text(), value);
    let read = batch(&node, json!([{"op": "get", "key": "a/b"}])).await;
    assert!(read.text().ends_with(&format!("\"data\":{value}}}]}}")), "{}", read.text());
}

#[tokio::test]
async fn an_item_that_is_wrong_does_not_touch_the_others() {
    let node = TestNode::start();
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    let deep: Value = serde_json::from_str(&deep).unwrap_or(json!(null));
    assert!(deep.is_null(), "serde_json reads 127 levels");
    let put = |rest: Value| {
        let mut item = json!({"op": "put", "key": "a", "value": 1});
        item.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        item
    };
    let cases = [
        (json!({"op": "get", "key": ""}), 400),
        (json!({"op": "get", "key": "_x"}), 400),
        (json!({"op": "get", "key": "_system/users"}), 403),
        (json!({"op": "put", "key": "a/", "value": 1}), 400),
        (json!({"op": "get", "key": "a", "value": 1}), 422),
        (json!({"op": "get", "key": "a", "if_match": "*"}), 422),
        (json!({"op": "delete", "key": "a", "ttl": "1h"}), 422),
        (json!({"op": "put", "key": "a"}), 422),
        (put(json!({"content_type": "text/plain"})), 422),
        (json!({"op": "put", "key": "a", "data_base64": "aGk="}), 422),
        (json!({"op": "put", "key": "a", "content_type": "x", "data_base64": "aGk="}), 415),
        (json!({"op": "put", "key": "a", "content_type": "a/b", "data_base64": "aGk"}), 422),
        (
            json!({"op": "put", "key": "a", "content_type": "application/json", "data_base64": "aGk="}),
            400,
        ),
        (put(json!({"ttl": "1"})), 422),
        (put(json!({"if_match": "x"})), 400),
        (put(json!({"if_match": "*"})), 412),
        (put(json!({"if_match": "*", "if_none_match": "*"})), 400),
        (json!({"op": "put", "key": "good", "value": 2}), 201),
    ];
    let items: Vec<_> = cases.iter().map(|(item, _)| item.clone()).collect();
    let answer = batch(&node, items.into()).await.expect(200);
    let expected: Vec<_> = cases.iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses(&answer), expected, "{}", answer.text());
    assert_eq!(node.get("/kv/good").await.json()["data"], 2);
    node.get("/kv/a").await.expect(404);
}

#[tokio::test]
async fn conditions_and_times_to_live_hold_for_each_item() {
    let node = TestNode::start();
    let uuid = node.put("/kv/a", "1").await.uuid();
    let tag = format!("\"{uuid}\"");
    let answer = batch(
        &node,
        json!([
            {"op": "put", "key": "a", "value": 2, "if_match": tag},
            {"op": "put", "key": "a", "value": 3, "if_match": tag},
            {"op": "delete", "key": "a", "if_match": tag},
            {"op": "put", "key": "a", "value": 4, "if_none_match": "*"},
            {"op": "put", "key": "b", "value": 5, "if_none_match": "*", "ttl": "1h"},
        ]),
    );
    assert_eq!(statuses(&answer.await), [200, 412, 412, 412, 201]);
    assert_eq!(node.get("/kv/a").await.json()["data"], 2);
    node.advance(std::time::Duration::from_hours(1));
    node.get("/kv/b").await.refuses(404, "key-absent", "expired");
}

#[tokio::test]
async fn a_body_that_is_no_batch_is_refused_as_a_whole() {
    let node = TestNode::start();
    let good = json!({"op": "put", "key": "a", "value": 1});
    for (body, status) in [
        ("{".to_owned(), 400),
        ("{\"items\":[{\"op\":\"put\",\"key\":\"a\",\"value\":[1,]}]}".to_owned(), 400),
        ("[]".to_owned(), 422),
        ("[[]]".to_owned(), 422),
        (
            json!({"items": [good, ["get", "a", null, null, null, null, null, null]]}).to_string(),
            422,
        ),
        ("{}".to_owned(), 422),
        (json!({"items": [good, {"op": "move", "key": "a"}]}).to_string(), 422),
        (json!({"items": [good, {"op": "put"}]}).to_string(), 422),
        (json!({"items": [good, {"op": "get", "key": "a", "colour": 1}]}).to_string(), 422),
        (json!({"items": [good], "atomic": true}).to_string(), 422),
    ] {
        assert_eq!(send(&node, body.clone()).await.status, status, "{body}");
    }
    node.get("/kv/a").await.expect(404);
    let text = [("content-type", "text/plain")];
    let refused = node.call("POST /kv/_batch", &text, "{}").await;
    refused.refuses(415, "content-type-not-taken", "application/json");
    assert_eq!(batch(&node, json!([])).await.expect(200).text(), "{\"items\":[]}");
    node.get("/kv/_batch").await.refuses(405, "method-not-allowed", "POST");
}

#[tokio::test]
async fn a_batch_has_as_many_items_as_allowed_and_not_one_more() {
    let node = TestNode::start();
    let puts = |count: usize| {
        let put = |n| json!({"op": "put", "key": format!("k/{n}"), "value": n});
        (0..count).map(put).collect::<Vec<_>>().into()
    };
    let answer = batch(&node, puts(1000)).await.expect(200);
    assert!(statuses(&answer).iter().all(|status| *status == 201));
    let refused = batch(&node, puts(1001)).await;
    refused.refuses(422, "content-wrong", "more items than 1000");
}

#[tokio::test]
async fn the_body_and_each_value_have_their_largest_size() {
    let node = TestNode::with(|settings| {
        settings.limits.value_size = Size::kib(1);
        settings.limits.batch_size = Size::kib(4);
    });
    let put = |size: usize| json!({"op": "put", "key": "a", "value": "x".repeat(size - 2)});
    let answer = batch(&node, json!([put(1024), put(1025)])).await;
    assert_eq!(statuses(&answer), [201, 413]);
    let around = json!({"items": []}).to_string();
    let padded = |size: usize| format!("{around}{}", " ".repeat(size - around.len()));
    send(&node, padded(4096)).await.expect(200);
    send(&node, padded(4097)).await.refuses(413, "too-large", "the batch has more than 4096 bytes");
}

#[tokio::test]
async fn json_in_a_batch_has_its_greatest_depth() {
    let node = TestNode::with(|settings| settings.limits.json_depth = 3);
    let put = |value: &str| format!("{{\"op\":\"put\",\"key\":\"a\",\"value\":{value}}}");
    let body = [put("[[[]]]"), put("[[[[]]]]"), put("[[[\"[[[[[\"]]]")].join(",");
    let answer = send(&node, format!("{{\"items\":[{body}]}}")).await;
    assert_eq!(statuses(&answer), [201, 400, 200]);
}

#[tokio::test]
async fn what_has_no_room_in_the_answer_is_named_and_not_read() {
    let node = TestNode::with(|settings| settings.limits.answer_size = Size::kib(64));
    let large = format!("\"{}\"", "x".repeat(40_000));
    node.put("/kv/large", large).await.expect(201);
    node.put("/kv/small", "1").await.expect(201);
    let get = |key: &str| json!({"op": "get", "key": key});
    let answer = batch(&node, json!([get("large"), get("large"), get("small")])).await.expect(200);
    assert_eq!(statuses(&answer), [200, 413, 200]);
    assert!(answer.body.len() <= 64 << 10);
}

#[tokio::test]
async fn a_read_only_node_refuses_the_writes_of_a_batch_alone() {
    let node = TestNode::with(|settings| settings.read_only = true);
    let items = json!([
        {"op": "put", "key": "a", "value": 1},
        {"op": "delete", "key": "a"},
        {"op": "get", "key": "a"},
    ]);
    let answer = batch(&node, items).await.expect(200);
    assert_eq!(statuses(&answer), [403, 403, 404]);
    assert_eq!(answer.json()["items"][0]["problem"]["type"], "urn:kvs:problem:read-only");
}
