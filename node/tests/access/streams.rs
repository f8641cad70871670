//! Streams of changes: what each event is, for whom, and until when.

use std::time::Duration;

use kvs_client::{Client, Watch, WatchEvent};
use kvs_node::server::Server;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::harness::Guarded;

/// What takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_stream_shows_what_its_reader_may_see_and_ends_with_the_token() {
    let node = Guarded::with(|settings| settings.port = 0).await;
    let ann = node.user("ann", &["read"]).await;
    let id = node.id_of(&ann).await;
    node.set("secret", json!({ "mode": "cdwr--------" })).await;
    let server = Server::bind(node.running.node.settings()).unwrap();
    let url = format!("http://{}", server.local_addr());
    let shutdown = CancellationToken::new();
    let serving =
        node.running.node.spawn(server.serve(node.running.node.clone(), shutdown.clone()));
    let client = Client::new(&url, Some(&ann)).unwrap();
    let mut events = client.watch("", None).await.unwrap();
    node.as_root("PUT /kv/secret/x", "1").await.expect(201);
    node.as_root("PUT /kv/open", "1").await.expect(201);
    let seen = tokio::time::timeout(PATIENCE, next_key(&mut events)).await.unwrap();
    assert_eq!(seen.as_deref(), Some("open"));
    node.as_root(&format!("DELETE /api/tokens/{id}"), "").await.expect(204);
    let end = tokio::time::timeout(PATIENCE, next_key(&mut events)).await.unwrap();
    assert_eq!(end, None, "the stream ends when its token does");
    drop(events);
    drop(client);
    shutdown.cancel();
    serving.await.unwrap();
    node.stop().await;
}

/// The key of the next change; nothing once the stream ended.
async fn next_key(events: &mut Watch) -> Option<String> {
    match events.next().await? {
        Ok(WatchEvent::Change(change)) => Some(change.key),
        other => panic!("{other:?}"),
    }
}
