use std::time::Duration;

use futures_util::TryStreamExt as _;
use kvs_client::{ChangeOp, ChangesOptions, MetadataPatch, PageOptions};

use crate::served::{NOW, serve};

fn keys(page: &serde_json::Value) -> Vec<String> {
    let text = |item: &serde_json::Value| {
        format!("{} {}", item["op"].as_str().unwrap(), item["key"].as_str().unwrap())
    };
    page["items"].as_array().unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn changes_come_in_commit_order_and_polling_goes_on_from_the_cursor() {
    let served = serve().await;
    served.put("a/1", "1").await;
    served.put("b/1", "1").await;
    served.put("a/2", "1").await;
    served.client.delete("a/1").await.unwrap();
    served
        .client
        .patch_metadata(
            "a",
            &MetadataPatch { ttl: kvs_client::Field::Set("1h".into()), ..MetadataPatch::default() },
        )
        .await
        .unwrap();
    let page = served.get("/kv/a/_changes").await.json();
    assert_eq!(keys(&page), ["put a/2", "delete a/1", "metadata a"]);
    assert_eq!(page["next"], serde_json::Value::Null);

    let cursor = page["cursor"].as_str().unwrap();
    let poll = format!("/kv/a/_changes?after={cursor}");
    assert_eq!(keys(&served.get(&poll).await.json()), [""; 0]);
    served.put("a/3", "1").await;
    assert_eq!(keys(&served.get(&poll).await.json()), ["put a/3"]);
    served.stop().await;
}

#[tokio::test]
async fn pages_of_any_size_make_up_all_changes_expiries_included() {
    let served = serve().await;
    for at in 0..10 {
        served.put_for(&format!("k{at}"), "5s").await;
    }
    served.clock.advance(Duration::from_secs(6));
    for (limit, since) in [(1, None), (3, None), (1_000, None), (1, Some("0")), (3, Some("0"))] {
        let page = PageOptions { limit: Some(limit), after: None };
        let options = ChangesOptions { page, since: since.map(str::to_owned), until: None };
        let all: Vec<_> = served.client.changes_all("", options).try_collect().await.unwrap();
        let of = |op| all.iter().filter(|change| change.op == op).count();
        assert_eq!((of(ChangeOp::Put), of(ChangeOp::Expire)), (10, 10), "{limit} {since:?}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_span_of_time_has_its_first_instant_and_not_its_last() {
    let served = serve().await;
    served.put("a", "1").await;
    served.clock.advance(Duration::from_secs(1));
    served.put("b", "1").await;
    served.clock.advance(Duration::from_secs(1));
    served.put("c", "1").await;
    let (second, third) = (NOW + 1_000, NOW + 2_000);
    let span = served.get(&format!("/kv/_changes?since={second}&until={third}")).await.json();
    assert_eq!(keys(&span), ["put b"]);
    let from = served.get("/kv/_changes?since=2023-11-14T22:13:21Z").await.json();
    assert_eq!(keys(&from), ["put b", "put c"], "{NOW} is 2023-11-14T22:13:20Z");
    let until = served.get("/kv/_changes?until=2023-11-14T23:13:21+01:00").await.json();
    assert_eq!(keys(&until), ["put a"]);
    served.stop().await;
}

#[tokio::test]
async fn cursors_of_one_order_do_not_fit_the_other_and_one_of_another_store_starts_over() {
    let (served, other) = (serve().await, serve().await);
    for key in ["a", "b"] {
        served.put(key, "1").await;
        other.put(key, "1").await;
    }
    let next = async |served: &crate::served::Served, query: &str| {
        let page = served.get(&format!("/kv/_changes?limit=1{query}")).await.json();
        page["next"].as_str().unwrap().to_owned()
    };
    let (commit, time) = (next(&served, "").await, next(&served, "&since=0").await);
    let path = format!("/kv/_changes?since=0&after={commit}");
    assert_eq!(served.refused(&path, 400).await, "cursor-malformed");
    assert_eq!(
        served.refused(&format!("/kv/_changes?after={time}"), 400).await,
        "cursor-malformed"
    );
    let foreign = next(&other, "").await;
    let path = format!("/kv/_changes?after={foreign}");
    assert_eq!(served.refused(&path, 409).await, "cursor-unknown");
    served.stop().await;
    other.stop().await;
}
