use futures_util::TryStreamExt as _;
use kvs_client::{TreeOptions, Value};

use crate::served::{NOW, Served, serve, serve_with};

const LINES: &str = "application/x-ndjson";

async fn filled() -> Served {
    let served = serve().await;
    served.put("a", "[ 1,  2 ]").await;
    served.put("a/b/c", "{\"z\": 1, \"a\": 2}").await;
    served.client.put("a/bytes", Value::bytes("image/png", b"\x89PNG".as_slice())).await.unwrap();
    served.put("d", "\"e\"").await;
    served
}

#[tokio::test]
async fn values_come_in_the_order_of_keys_and_byte_for_byte() {
    let served = filled().await;
    let answered = served.get("/kv/_tree").await;
    assert_eq!(answered.content_type, "application/json");
    assert!(answered.text.contains(r#""data":[ 1,  2 ]}"#), "{}", answered.text);
    assert!(answered.text.contains(r#""data":{"z": 1, "a": 2}}"#), "{}", answered.text);
    let all: Vec<_> =
        served.client.tree_all("", TreeOptions::default()).try_collect().await.unwrap();
    let keys: Vec<_> = all.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, ["a", "a/b/c", "a/bytes", "d"]);
    assert_eq!(
        (all[2].value.content_type(), all[2].value.as_bytes()),
        ("image/png", b"\x89PNG".as_slice())
    );
    served.stop().await;
}

#[tokio::test]
async fn what_expires_says_when_in_every_form_that_has_a_place_for_it() {
    let served = serve().await;
    served.put("a", "1").await;
    served.put_for("b", "1m").await;
    let items = served.get("/kv/_tree").await.json()["items"].clone();
    assert_eq!(items[0].get("expires"), None);
    assert_eq!(items[1]["expires"], NOW + 60_000);
    let lines = served.get_as("/kv/_tree", LINES).await.text;
    assert!(!lines.lines().next().unwrap().contains("expires"), "{lines}");
    assert!(lines.contains(&format!("\"expires\":{},\"data\":1", NOW + 60_000)), "{lines}");
    served.stop().await;
}

#[tokio::test]
async fn a_nested_tree_has_an_object_for_each_segment() {
    let served = filled().await;
    let tree = served.get("/kv/_tree?format=nested").await.json();
    let expected = serde_json::json!({
        "tree": {
            "a": {
                "_value": [1, 2],
                "b": {"c": {"z": 1, "a": 2}},
                "bytes": {"content_type": "image/png", "data_base64": "iVBORw=="},
            },
            "d": "e",
        },
        "next": null,
    });
    assert_eq!(tree, expected);
    let below = served.get("/kv/a/b/_tree?format=nested").await.json();
    assert_eq!(below["tree"], serde_json::json!({"c": {"z": 1, "a": 2}}));
    served.stop().await;
}

#[tokio::test]
async fn lines_are_compact_and_the_last_one_says_if_there_is_more() {
    let served = filled().await;
    let whole = served.get_as("/kv/_tree", LINES).await;
    assert_eq!(whole.content_type, LINES);
    let lines: Vec<_> = whole.text.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[1].ends_with(r#""data":{"z":1,"a":2}}"#), "{}", lines[1]);
    let part = served.get_as("/kv/_tree?limit=3", LINES).await;
    let last: serde_json::Value = serde_json::from_str(part.text.lines().nth(3).unwrap()).unwrap();
    let rest = format!("/kv/_tree?after={}", last["next"].as_str().unwrap());
    assert_eq!(served.get_as(&rest, LINES).await.text.lines().next(), Some(lines[3]));
    served.stop().await;
}

#[tokio::test]
async fn a_tree_is_as_deep_as_it_was_asked_to_be() {
    let served = filled().await;
    for (depth, count) in [(1, 2), (2, 3), (3, 4), (64, 4)] {
        let tree = served.get(&format!("/kv/_tree?depth={depth}")).await.json();
        assert_eq!(tree["items"].as_array().unwrap().len(), count, "depth {depth}");
    }
    for query in ["depth=0", "depth=65", "limit=5001", "format=xml", "metadata"] {
        assert_eq!(served.refused(&format!("/kv/_tree?{query}"), 400).await, "query-malformed");
    }
    assert_eq!(served.get("/kv/_tree?limit=5000").await.status, 200);
    let lines = served.get_as("/kv/_tree?format=nested", LINES).await;
    assert_eq!((lines.status.as_u16(), lines.problem().as_str()), (400, "query-malformed"));
    served.stop().await;
}

#[tokio::test]
async fn no_answer_is_larger_than_allowed_and_pages_make_up_the_whole() {
    let served = serve_with(|settings| {
        settings.limits.answer_size = kvs_config::Size::kib(64);
    })
    .await;
    let value = format!("\"{}\"", "v".repeat(9_000));
    for at in 0..20 {
        served.put(&format!("big/{at:02}"), &value).await;
    }
    for (query, accept) in
        [("", "application/json"), ("?format=nested", "application/json"), ("", LINES)]
    {
        let answered = served.get_as(&format!("/kv/_tree{query}"), accept).await;
        let length = answered.text.len();
        assert!((30_000..=64 << 10).contains(&length), "{query} {accept}: {length} bytes");
    }
    let all: Vec<_> =
        served.client.tree_all("", TreeOptions::default()).try_collect().await.unwrap();
    assert_eq!(all.len(), 20);
    served.stop().await;
}

#[tokio::test]
async fn a_value_larger_than_an_answer_comes_alone() {
    let served = serve_with(|settings| {
        settings.limits.answer_size = kvs_config::Size::kib(64);
    })
    .await;
    let value = format!("\"{}\"", "v".repeat(100_000));
    served.put("a", &value).await;
    served.put("b", &value).await;
    let first = served.get("/kv/_tree").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    let all: Vec<_> =
        served.client.tree_all("", TreeOptions::default()).try_collect().await.unwrap();
    assert_eq!(all.len(), 2);
    served.stop().await;
}
