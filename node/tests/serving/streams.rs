use std::time::Duration;

use kvs_client::{Change, ClientError, Field, MetadataPatch, Watch, WatchEvent};

use crate::served::{DEADLINE, Served, eventually, serve, serve_with};

async fn next(watch: &mut Watch) -> Option<WatchEvent> {
    let event = tokio::time::timeout(DEADLINE, watch.next()).await.unwrap();
    event.map(Result::unwrap)
}

async fn change(watch: &mut Watch) -> Change {
    match next(watch).await {
        Some(WatchEvent::Change(change)) => change,
        other => panic!("no change, but {other:?}"),
    }
}

async fn told(watch: &mut Watch) -> String {
    let change = change(watch).await;
    format!("{} {}", change.op, change.key)
}

async fn places(served: &Served) -> String {
    let text = served.get("/metrics").await.text;
    let line = text.lines().find(|line| line.starts_with("kvs_streams_open "));
    line.unwrap().trim_start_matches("kvs_streams_open ").to_owned()
}

#[tokio::test]
async fn what_happens_below_the_prefix_is_told_as_it_happens() {
    let served = serve().await;
    served.put("a/before", "1").await;
    let mut watch = served.client.watch("a", None).await.unwrap();
    served.put("b/1", "1").await;
    served.put("a/1", "1").await;
    assert_eq!(told(&mut watch).await, "put a/1");
    served.client.delete("a/1").await.unwrap();
    assert_eq!(told(&mut watch).await, "delete a/1");
    let patch = MetadataPatch { ttl: Field::Set("1h".to_owned()), ..MetadataPatch::default() };
    served.client.patch_metadata("a", &patch).await.unwrap();
    assert_eq!(told(&mut watch).await, "metadata a");
    served.stop().await;
}

#[tokio::test]
async fn an_expiry_is_told_when_the_clock_comes_to_it() {
    let served = serve().await;
    let mut watch = served.client.watch("", None).await.unwrap();
    served.put_for("a", "5s").await;
    served.put_for("b", "1h").await;
    let put = change(&mut watch).await;
    assert_eq!(told(&mut watch).await, "put b");
    served.clock.advance(Duration::from_secs(6));
    let expired = change(&mut watch).await;
    assert_eq!(
        (expired.op.as_str(), expired.key.as_str(), expired.uuid),
        ("expire", "a", put.uuid)
    );
    served.clock.advance(Duration::from_hours(1));
    assert_eq!(told(&mut watch).await, "expire b");
    served.stop().await;
}

#[tokio::test]
async fn a_stream_resumes_where_it_broke_off_and_reads_what_it_missed_first() {
    let served = serve().await;
    let mut watch = served.client.watch("", None).await.unwrap();
    served.put("a", "1").await;
    assert_eq!(told(&mut watch).await, "put a");
    let cursor = watch.cursor().unwrap().to_owned();
    drop(watch);
    for at in 0..600 {
        served.put(&format!("missed/{at:03}"), "1").await;
    }
    let mut watch = served.client.watch("", Some(&cursor)).await.unwrap();
    for at in 0..600 {
        assert_eq!(told(&mut watch).await, format!("put missed/{at:03}"));
    }
    served.put("z", "1").await;
    assert_eq!(told(&mut watch).await, "put z");
    served.stop().await;
}

#[tokio::test]
async fn a_stream_says_where_it_stands_before_anything_happens() {
    let served = serve().await;
    let response = reqwest::Client::new()
        .get(served.url("/kv/_changes"))
        .header("accept", "text/event-stream")
        .send();
    let mut response = response.await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let chunk = tokio::time::timeout(DEADLINE, response.chunk()).await.unwrap().unwrap().unwrap();
    let text = String::from_utf8(chunk.to_vec()).unwrap();
    let cursor = text.strip_prefix("id: ").and_then(|text| text.strip_suffix("\n\n")).unwrap();
    served.put("a", "1").await;
    let page = served.get(&format!("/kv/_changes?after={cursor}")).await.json();
    assert_eq!(page["items"][0]["key"], "a");
    drop(response);
    served.stop().await;
}

#[tokio::test]
async fn a_cursor_of_another_store_resets_the_stream_which_then_tells_everything() {
    let (served, other) = (serve().await, serve().await);
    served.put("a", "1").await;
    other.put("b", "1").await;
    let page = other.get("/kv/_changes").await.json();
    let foreign = page["cursor"].as_str().unwrap();
    // A browser gives back whatever it kept: what is no cursor at all is one that is not known.
    for unknown in [foreign, "garbage"] {
        let mut watch = served.client.watch("", Some(unknown)).await.unwrap();
        assert!(matches!(next(&mut watch).await, Some(WatchEvent::Reset(_))));
        assert_eq!(told(&mut watch).await, "put a");
    }
    served.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_stream_is_asked_for_rightly_or_refused() {
    let served = serve().await;
    for query in ["since=0", "limit=5", "until=5", "after=garbage", "x"] {
        let path = format!("/kv/_changes?{query}");
        let answered = served.get_as(&path, "text/event-stream").await;
        assert_eq!(answered.status.as_u16(), 400, "{answered:?}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_caller_has_so_many_streams_and_not_one_more_until_one_closes() {
    let served = serve_with(|settings| settings.limits.streams_per_caller = 3).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(served.client.watch("", None).await.unwrap());
    }
    let refused = served.client.watch("", None).await.unwrap_err();
    let ClientError::Problem(problem) = &refused else { panic!("{refused:?}") };
    assert_eq!((problem.status, problem.kind.as_str()), (503, "urn:kvs:problem:too-many-streams"));
    assert_eq!(places(&served).await, "3");
    open.pop();
    eventually("the place of the closed stream is free", async || places(&served).await == "2")
        .await;
    assert!(served.client.watch("", None).await.is_ok());
    drop(open);
    served.stop().await;
}

#[tokio::test]
async fn streams_end_when_the_server_drains() {
    let served = serve().await;
    let mut watch = served.client.watch("", None).await.unwrap();
    served.put("a", "1").await;
    assert_eq!(told(&mut watch).await, "put a");
    served.shutdown.cancel();
    assert_eq!(next(&mut watch).await, None);
    served.stop().await;
}
