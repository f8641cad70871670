use futures_util::TryStreamExt as _;
use kvs_client::{ListOptions, PageOptions};

use crate::served::{NOW, serve, serve_with};

#[tokio::test]
async fn children_come_in_order_and_say_what_they_have() {
    let served = serve().await;
    for key in ["b", "a/x/y", "a/x", "c/d/e"] {
        served.put(key, "1").await;
    }
    let all = served.get("/kv/_ls").await.json();
    let names: Vec<_> = all["items"].as_array().unwrap().iter().collect();
    let expected = serde_json::json!([
        {"name": "a", "key": "a", "value": false, "children": true},
        {"name": "b", "key": "b", "value": true, "children": false},
        {"name": "c", "key": "c", "value": false, "children": true},
    ]);
    assert_eq!(serde_json::json!(names), expected);
    assert_eq!(all["next"], serde_json::Value::Null);
    let below = served.get("/kv/a/_ls").await.json();
    assert_eq!(below["items"][0]["key"], "a/x");
    assert_eq!(
        (&below["items"][0]["value"], &below["items"][0]["children"]),
        (&true.into(), &true.into())
    );
    served.stop().await;
}

#[tokio::test]
async fn metadata_tells_of_versions_where_there_is_a_value() {
    let served = serve().await;
    served.put("a", "[1, 2]").await;
    served.put("b/c", "1").await;
    let listed = served.get("/kv/_ls?metadata").await.json();
    let a = &listed["items"][0];
    assert_eq!((&a["timestamp"], &a["created"], &a["size"]), (&NOW.into(), &NOW.into(), &6.into()));
    assert_eq!(
        (&a["content_type"], &a["expires"]),
        (&"application/json".into(), &serde_json::Value::Null)
    );
    assert!(listed["items"][1].get("uuid").is_none());
    served.stop().await;
}

#[tokio::test]
async fn pages_of_any_size_make_up_the_whole_list() {
    let served = serve().await;
    for at in 0..25 {
        served.put(&format!("k{at:02}/v"), "1").await;
    }
    for limit in [1, 7, 25, 26] {
        let page = PageOptions { limit: Some(limit), after: None };
        let options = ListOptions { page, metadata: false };
        let all: Vec<_> = served.client.ls_all("", options).try_collect().await.unwrap();
        assert_eq!(all.len(), 25, "limit {limit}");
        assert!(all.windows(2).all(|pair| pair[0].key < pair[1].key));
    }
    served.stop().await;
}

#[tokio::test]
async fn an_answer_ends_where_it_would_be_too_large_and_goes_on_from_there() {
    let served = serve_with(|settings| {
        settings.limits.answer_size = kvs_config::Size::kib(64);
    })
    .await;
    let long = "x".repeat(900);
    for at in 0..100 {
        served.put(&format!("{long}{at:03}"), "1").await;
    }
    let first = served.get("/kv/_ls").await;
    assert!(first.text.len() <= 64 << 10, "{} bytes", first.text.len());
    let options = ListOptions::default();
    let all: Vec<_> = served.client.ls_all("", options).try_collect().await.unwrap();
    assert_eq!(all.len(), 100);
    served.stop().await;
}

#[tokio::test]
async fn limits_hold_to_the_number_and_names_that_are_not_known_are_errors() {
    let served = serve().await;
    for path in ["/kv/_ls?limit=1", "/kv/_ls?limit=1000", "/kv/a/_changes?limit=1000"] {
        assert_eq!(served.get(path).await.status, 200, "{path}");
    }
    for path in [
        "/kv/_ls?limit=0",
        "/kv/_ls?limit=1001",
        "/kv/_ls?limit=x",
        "/kv/_ls?limt=1",
        "/kv/_ls?limit=1&limit=2",
        "/kv/_ls?metadata=yes",
        "/kv/_changes?limit=1001",
        "/kv/_changes?depth=1",
    ] {
        assert_eq!(served.refused(path, 400).await, "query-malformed", "{path}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_cursor_that_is_garbage_or_of_another_list_is_refused() {
    let served = serve().await;
    for key in ["a/1", "a/2", "b/1", "b/2"] {
        served.put(key, "1").await;
    }
    let next = served.get("/kv/a/_ls?limit=1").await.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(
        served.get(&format!("/kv/a/_ls?after={next}")).await.json()["items"][0]["key"],
        "a/2"
    );
    for path in [
        format!("/kv/b/_ls?after={next}"),
        format!("/kv/a/1/_tree?after={next}"),
        format!("/kv/a/_changes?after={next}"),
        format!("/kv/a/_changes?since=0&after={next}"),
        "/kv/a/_ls?after=".to_owned(),
        "/kv/a/_ls?after=%00".to_owned(),
        "/kv/a/_ls?after=bAAA".to_owned(),
    ] {
        assert_eq!(served.refused(&path, 400).await, "cursor-malformed", "{path}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_list_that_looked_at_as_many_keys_as_it_may_answers_an_empty_page_with_a_cursor() {
    let served = serve_with(|settings| settings.limits.scan_keys = 100).await;
    for at in 0..150 {
        let key = format!("gone/{at:03}");
        served.put(&key, "1").await;
        served.client.delete(&key).await.unwrap();
    }
    served.put("gone/z", "1").await;
    let page = served.get("/kv/gone/_ls").await.json();
    assert_eq!(page["items"], serde_json::json!([]));
    assert!(page["next"].is_string(), "{page}");
    let options = ListOptions::default();
    let all: Vec<_> = served.client.ls_all("gone", options).try_collect().await.unwrap();
    assert_eq!(all.len(), 1);
    served.stop().await;
}
