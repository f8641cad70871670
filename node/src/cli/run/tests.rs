use std::time::Duration;

use kvs_core::{Body, Command, ContentType, Key, RecordId, Value, VersionId};

use super::*;
use crate::store::Unruly;
use crate::writer::{SubmitError, Write};

/// What takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_node_whose_writer_has_ended_stops_by_itself_and_says_so() {
    let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(Unruly::default()));
    let server = Server::bind(&Settings { port: 0, ..Settings::default() }).unwrap();
    let running = Running::for_test(dir.path(), store.clone());
    store.panic_at_the_next_write();
    let record = RecordId::value(Key::client("a").unwrap());
    let body = Body::Value(Value::plain(ContentType::JSON, "1".into()));
    let command = Command::put(body, VersionId::new(uuid::Uuid::new_v4()));
    let written = running.node.write(vec![Write { record, command }]).await;
    assert!(matches!(written, Err(SubmitError::Stopping)), "{written:?}");

    let shutdown = CancellationToken::new();
    let serving = running.node.spawn(server.serve(running.node.clone(), shutdown.clone()));
    let ended = serve_until(&running.node, serving, &shutdown, std::future::pending());
    let ended = tokio::time::timeout(DEADLINE, ended).await.expect("it stops by itself");
    assert_eq!(ended, Ended::ForGood);
    let Err(Failure::Because { reason, .. }) = stop(running).await else {
        panic!("a node that could not go on did not fail");
    };
    assert!(reason.contains("writer thread panicked"), "{reason}");
}
