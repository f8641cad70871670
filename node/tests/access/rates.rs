//! How much each caller may ask, by a clock that stands still.

use std::time::Duration;

use kvs_config::Settings;
use serde_json::json;

use crate::harness::{Answered, Guarded};

/// A node that lets each caller read and write so often a minute, and fail so often to log in.
async fn limited(rate_limit: u32, failed_login_limit: u32) -> Guarded {
    limited_with(rate_limit, failed_login_limit, |_settings| {}).await
}

async fn limited_with(
    rate_limit: u32,
    failed_login_limit: u32,
    change: impl FnOnce(&mut Settings),
) -> Guarded {
    Guarded::with(|settings| {
        settings.rate_limiting_enabled = true;
        settings.rate_limit = rate_limit;
        settings.failed_login_limit = failed_login_limit;
        change(settings);
    })
    .await
}

/// What the headers say: how many there are at most, how many are left, when all are back.
#[track_caller]
fn told(answer: &Answered, wanted: [&str; 3]) {
    let names = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
    assert_eq!(names.map(|name| answer.header(name)), wanted, "{}", answer.text());
}

#[track_caller]
fn refused(answer: &Answered, retry_after: &str) {
    answer.refuses(429, "too-many-requests");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("retry-after"), retry_after, "{}", answer.text());
}

#[tokio::test]
async fn each_request_is_counted_to_the_last_one_and_reads_and_writes_apart() {
    let node = limited(3, 9).await;
    for (left, reset) in [("2", "20"), ("1", "40"), ("0", "60")] {
        let read = node.as_root("GET /kv/x", "").await.expect(404);
        told(&read, ["3", left, reset]);
    }
    for _ in 0..2 {
        let read = node.as_root("GET /kv/x", "").await;
        refused(&read, "20");
        told(&read, ["3", "0", "60"]);
        assert!(read.text().contains("reads more than 3 times in 60s"), "{}", read.text());
    }
    told(&node.as_root("PUT /kv/x", "1").await.expect(201), ["3", "2", "20"]);
    node.advance(Duration::from_millis(19_999));
    refused(&node.as_root("GET /kv/x", "").await, "1");
    node.advance(Duration::from_millis(1));
    node.as_root("GET /kv/x", "").await.expect(200);
    let head = node.as_root("HEAD /kv/x", "").await.expect(429);
    assert_eq!((head.header("retry-after"), head.text().as_str()), ("20", ""));
    node.stop().await;
}

#[tokio::test]
async fn a_caller_is_a_user_with_all_their_tokens_and_one_without_is_an_address() {
    let node = limited_with(4, 9, |settings| settings.allow_anonymous_read = true).await;
    let ann = node.user("ann", &["read"]).await;
    let another = node.token("ann", None).await;
    for token in [&ann, &another, &ann, &another] {
        node.call(token, "GET /kv/x", "").await.expect(404);
    }
    refused(&node.call(&ann, "GET /kv/x", "").await, "15");
    refused(&node.call_from("192.0.2.1", "", &another, "GET /kv/x").await, "15");
    for (address, last) in [("192.0.2.1", 404), ("192.0.2.2", 404), ("2001:db8::1", 404)] {
        for _ in 0..4 {
            node.call_from(address, "", "", "GET /kv/x").await.expect(last);
        }
        refused(&node.call_from(address, "", "", "GET /kv/x").await, "15");
    }
    // Whoever has one address of a network has all of them.
    refused(&node.call_from("2001:db8::2", "", "", "GET /kv/x").await, "15");
    node.call_from("2001:db8:0:1::1", "", "", "GET /kv/x").await.expect(404);
    node.stop().await;
}

#[tokio::test]
async fn what_is_denied_counts_and_what_watches_over_the_node_does_not() {
    let node = limited(2, 9).await;
    for _ in 0..2 {
        node.call("", "GET /kv/x", "").await.refuses(401, "credentials-missing");
    }
    refused(&node.call("", "GET /kv/x", "").await, "30");
    for path in ["/livez", "/readyz", "/openapi.json", "/docs"] {
        for _ in 0..4 {
            let answer = node.call("", &format!("GET {path}"), "").await.expect(200);
            told(&answer, ["", "", ""]);
        }
    }
    for _ in 0..4 {
        node.by_socket("GET /kv/x", "").await.expect(404);
        node.by_socket("POST /kv/_batch", r#"{"items":[{"op":"get","key":"x"}]}"#)
            .await
            .expect(200);
    }
    node.stop().await;
}

fn batch(gets: usize, puts: usize) -> String {
    let get = |at| json!({ "op": "get", "key": format!("k/{at}") });
    let put = |at| json!({ "op": "put", "key": format!("k/{at}"), "value": at });
    let items: Vec<_> = (0..gets).map(get).chain((0..puts).map(put)).collect();
    json!({ "items": items }).to_string()
}

#[tokio::test]
async fn a_batch_counts_its_items_and_is_carried_out_whole_or_not_at_all() {
    let node = limited(6, 9).await;
    let answer = node.as_root("POST /kv/_batch", batch(2, 4)).await.expect(200);
    told(&answer, ["6", "2", "40"]);
    // Neither its reads nor its writes are counted.
    refused(&node.as_root("POST /kv/_batch", batch(1, 3)).await, "10");
    refused(&node.as_root("POST /kv/_batch", batch(5, 2)).await, "10");
    told(&node.as_root("POST /kv/_batch", batch(4, 2)).await.expect(200), ["6", "0", "60"]);
    refused(&node.as_root("POST /kv/_batch", batch(1, 0)).await, "10");
    refused(&node.as_root("POST /kv/_batch", batch(0, 1)).await, "10");
    refused(&node.as_root("POST /kv/_batch", "no batch at all").await, "10");
    node.stop().await;
}

#[tokio::test]
async fn a_batch_of_more_items_than_the_limit_takes_all_and_owes_the_rest() {
    let node = limited(6, 9).await;
    node.as_root("PUT /kv/x", "1").await.expect(201);
    refused(&node.as_root("POST /kv/_batch", batch(0, 12)).await, "10");
    node.advance(Duration::from_secs(10));
    told(&node.as_root("POST /kv/_batch", batch(0, 12)).await.expect(200), ["6", "0", "120"]);
    refused(&node.as_root("PUT /kv/x", "2").await, "70");
    node.advance(Duration::from_secs(70));
    node.as_root("PUT /kv/x", "2").await.expect(200);
    node.stop().await;
}

#[tokio::test]
async fn bad_credentials_are_counted_against_their_address_before_any_others_are_looked_at() {
    let node = limited(1_000, 3).await;
    let known = node.user("ann", &["read"]).await;
    node.call(&known, "GET /kv/x", "").await.expect(404);
    let unseen = node.token("ann", None).await;
    for bad in ["garbage", "a.b.c", &known[..known.len() - 4]] {
        assert_eq!(node.call(bad, "GET /kv/x", "").await.status, 401, "{bad}");
    }
    let answer = node.call("garbage", "GET /kv/x", "").await;
    refused(&answer, "20");
    assert!(answer.text().contains("credentials that are no good"), "{}", answer.text());
    // Good ones that nobody has seen yet cannot be told from bad ones without looking.
    refused(&node.call(&unseen, "GET /kv/x", "").await, "20");
    node.call(&known, "GET /kv/x", "").await.expect(404);
    node.call_from("192.0.2.1", "", &unseen, "GET /kv/x").await.expect(404);
    node.call(&unseen, "GET /kv/x", "").await.expect(404);
    node.call_from("192.0.2.1", "", "garbage", "GET /kv/x").await.refuses(401, "token-malformed");

    node.advance(Duration::from_secs(20));
    node.call("garbage", "GET /kv/x", "").await.refuses(401, "token-malformed");
    refused(&node.call("garbage", "GET /kv/x", "").await, "20");
    node.stop().await;
}

#[tokio::test]
async fn a_proxy_that_is_trusted_says_who_asks_and_nobody_else_does() {
    let node = limited_with(1, 9, |settings| {
        settings.allow_anonymous_read = true;
        settings.trusted_proxies = vec!["10.0.0.0/8".to_owned()];
    })
    .await;
    let read = async |address: &str, forwarded: &str| {
        node.call_from(address, forwarded, "", "GET /kv/x").await
    };
    read("10.0.0.7", "192.0.2.1").await.expect(404);
    read("10.0.0.7", "192.0.2.2").await.expect(404);
    refused(&read("10.0.0.7", "192.0.2.1").await, "60");
    refused(&read("10.0.0.8", "192.0.2.1, 10.0.0.7").await, "60");
    // What the caller itself says about who came before is not believed.
    refused(&read("10.0.0.7", "192.0.2.9, 192.0.2.1").await, "60");
    refused(&read("192.0.2.2", "192.0.2.8").await, "60");
    read("192.0.2.3", "192.0.2.1").await.expect(404);
    refused(&read("192.0.2.3", "192.0.2.77").await, "60");
    node.stop().await;
}

#[tokio::test]
async fn new_limits_hold_at_once_and_figures_tell_who_was_refused() {
    let node = limited(1, 1).await;
    node.as_root("GET /kv/x", "").await.expect(404);
    refused(&node.as_root("GET /kv/x", "").await, "60");
    node.call("garbage", "GET /kv/x", "").await.refuses(401, "token-malformed");
    refused(&node.call("garbage", "GET /kv/x", "").await, "60");
    let settings = node.running.node.settings();
    let wider = Settings { rate_limit: 1_000, ..settings.clone() };
    node.running.node.rates().set(&wider);
    node.advance(Duration::from_secs(1));
    told(&node.as_root("GET /kv/x", "").await.expect(404), ["1000", "15", "60"]);
    let metrics = node.as_root("GET /metrics", "").await.expect(200).text();
    for figure in [
        "kvs_rate_limited_total{of=\"read\"} 1",
        "kvs_rate_limited_total{of=\"write\"} 0",
        "kvs_rate_limited_total{of=\"login\"} 1",
        "kvs_rate_limit_rows 3",
    ] {
        assert!(metrics.contains(figure), "{figure} is not in {metrics}");
    }
    node.stop().await;
}

#[tokio::test]
async fn without_limits_nothing_is_counted_and_nothing_told() {
    let node = limited_with(1, 1, |settings| settings.rate_limiting_enabled = false).await;
    for _ in 0..3 {
        told(&node.as_root("GET /kv/x", "").await.expect(404), ["", "", ""]);
        node.call("garbage", "GET /kv/x", "").await.refuses(401, "token-malformed");
    }
    node.stop().await;
}
