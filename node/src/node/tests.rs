use std::path::Path;

use kvs_core::{Body, Command, ContentType, Value, VersionId};
use uuid::Uuid;

use super::running::rocks_options;
use super::*;
use crate::digest;
use crate::store::{Batch, DataLock, Flush, OpenError, RocksStore, rows};
use crate::time::ManualClock;

fn settings(dir: &Path) -> Settings {
    let data_dir = dir.to_owned();
    let (clustering_enabled, auth_enabled) = (false, false);
    let digest_leaves = 65_536;
    Settings { data_dir, digest_leaves, clustering_enabled, auth_enabled, ..Settings::default() }
}

fn start(dir: &Path) -> Running {
    Running::start(settings(dir), Arc::new(ManualClock::at(1_000_000))).unwrap()
}

impl Running {
    /// A node on a store of the test's own.
    pub(crate) fn for_test(dir: &Path, store: Arc<dyn Store>) -> Self {
        let (lock, clock) = (DataLock::take(dir).unwrap(), ManualClock::at(1_000_000));
        let (settings, client) = (settings(dir), ([127, 0, 0, 1], 0).into());
        let (backups, clock) = (Backups::new(&settings, None).unwrap(), Arc::new(clock));
        Self::start_on(store, backups, lock, settings, clock, client, Format::NEWEST).unwrap()
    }
}

fn record(key: &str) -> RecordId {
    RecordId::value(Key::client(key).unwrap())
}

async fn put(node: &Node, key: &str) {
    let body = Body::Value(Value::plain(ContentType::JSON, "1".into()));
    let command = Command::put(body, VersionId::new(Uuid::new_v4()));
    let results = node.write(vec![Write { record: record(key), command }]).await.unwrap();
    results[0].unwrap();
}

/// The root of the index as it lies on disk.
fn derived(node: &Node) -> kvs_core::digest::Summary {
    digest::derive(&*node.store, &node.identity.digest_key, 4).unwrap()
}

async fn ready_root(node: &Node) -> kvs_core::digest::Summary {
    let deadline = std::time::Duration::from_secs(20);
    let ready = async {
        while node.digest.root().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(deadline, ready).await.unwrap();
    node.digest.root().unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_after_a_clean_restart_and_the_tree_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path());
    put(&running.node, "a/b").await;
    let before = running.node.present_position();
    let identity = running.node.identity().node;
    running.stop().await.unwrap();
    assert!(dir.path().join("digest.tree").exists());

    let running = start(dir.path());
    let node = &running.node;
    assert!(node.digest.is_ready());
    assert_eq!(node.digest.root(), Some(derived(node)));
    assert_eq!(node.identity().node, identity);
    assert_eq!(node.resume(before).unwrap(), Some(before));
    let newest = node.newest(&Caller::anybody(), &record("a/b").key).await.unwrap();
    assert!(newest.is_some());
    put(node, "c").await;
    assert!(node.present_position().sequence > before.sequence);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn the_saved_tree_of_a_small_store_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(
        Settings { clustering_enabled: false, ..settings(dir.path()) },
        Arc::new(ManualClock::at(1_000_000)),
    );
    let running = running.unwrap();
    put(&running.node, "a/b").await;
    running.stop().await.unwrap();
    let length = std::fs::metadata(dir.path().join("digest.tree")).unwrap().len();
    assert!(length < 100, "{length} bytes for one key");
}

#[tokio::test]
async fn a_position_is_known_as_soon_as_its_commit_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path());
    let node = &running.node;
    put(node, "a").await;
    // As the writer does it, before it tells anybody.
    let Position { sequence, .. } = node.present_position();
    let mut batch = Batch::default();
    batch.put(Column::Log, &rows::log(sequence + 1), &record("b").encode());
    node.store.write(&batch, Flush::Later).unwrap();
    let at = |sequence| Position { sequence, ..node.present_position() };
    assert_eq!(node.resume(at(sequence + 1)).unwrap(), Some(at(sequence + 1)));
    assert_eq!(node.resume(at(sequence + 2)).unwrap(), None);
}

#[tokio::test]
async fn who_followed_a_log_beyond_its_end_goes_on_from_there() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path());
    let node = &running.node;
    put(node, "a").await;
    let Position { incarnation, sequence, .. } = node.present_position();
    let at = |position| node.log_position(engine::Cursor { incarnation, position });
    assert_eq!(
        (at(sequence - 1), at(sequence), at(sequence + 9)),
        (sequence - 1, sequence, sequence)
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_tree_that_was_not_saved_is_rebuilt_while_writes_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path());
    for number in 0..3_000 {
        put(&running.node, &format!("k/{number}")).await;
    }
    running.stop().await.unwrap();
    std::fs::remove_file(dir.path().join("digest.tree")).unwrap();

    let running = start(dir.path());
    for number in 2_900..3_100 {
        put(&running.node, &format!("k/{number}")).await;
    }
    assert_eq!(ready_root(&running.node).await, derived(&running.node));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_saved_tree_of_another_moment_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path());
    put(&running.node, "a").await;
    running.stop().await.unwrap();
    let saved = std::fs::read(dir.path().join("digest.tree")).unwrap();

    let running = start(dir.path());
    put(&running.node, "b").await;
    running.stop().await.unwrap();
    std::fs::write(dir.path().join("digest.tree"), saved).unwrap();

    let running = start(dir.path());
    assert_eq!(ready_root(&running.node).await, derived(&running.node));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_node_on_one_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path());
    let second = Running::start(settings(dir.path()), Arc::new(ManualClock::at(1)));
    let error = second.unwrap_err().to_string();
    assert!(error.contains(&std::process::id().to_string()), "{error}");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_start_that_is_refused_leaves_the_saved_tree() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("digest.tree");
    start(dir.path()).stop().await.unwrap();
    let refused = || Running::start(settings(dir.path()), Arc::new(ManualClock::at(1)));

    let lock = DataLock::take(dir.path()).unwrap();
    assert!(matches!(refused(), Err(StartError::Open(OpenError::Locked(_)))));
    assert!(tree.exists());
    drop(lock);

    let store = RocksStore::open(dir.path(), &rocks_options(&settings(dir.path()))).unwrap();
    let mut batch = Batch::default();
    batch.put(Column::Local, rows::local::FORMAT, &9u64.to_be_bytes());
    store.write(&batch, Flush::Synced).unwrap();
    drop(store);
    assert!(matches!(refused(), Err(StartError::Open(OpenError::Newer { .. }))));
    assert!(tree.exists());
}

#[tokio::test]
async fn a_position_from_before_what_was_forgotten_is_not_known() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(1_000_000));
    let running = Running::start(settings(dir.path()), clock.clone()).unwrap();
    let node = &running.node;
    put(node, "a").await;
    let old = node.present_position();
    let first = node.first_position();
    clock.advance(Duration::from_secs(1));
    let recent = node.present_position();
    node.horizon.store(Stamp::at(node.now()).bits(), Ordering::Release);
    assert_eq!(node.resume(old).unwrap(), None);
    assert_eq!(node.resume(recent).unwrap(), Some(recent));
    assert_eq!(node.resume(first).unwrap(), Some(first));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn the_default_ttl_is_that_of_the_governing_metadata() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path());
    let node = &running.node;
    let key = Key::client("a/b").unwrap();
    assert_eq!(node.default_ttl(&key).await.unwrap(), None);
    let meta = kvs_core::Meta { ttl: Some(Duration::from_secs(9)), ..Default::default() };
    let command = Command::put(Body::Meta(meta), VersionId::new(Uuid::new_v4()));
    let record = RecordId::meta(Key::client("a").unwrap());
    node.write(vec![Write { record, command }]).await.unwrap()[0].unwrap();
    assert_eq!(node.default_ttl(&key).await.unwrap(), Some(Duration::from_secs(9)));
    running.stop().await.unwrap();

    let running = start(dir.path());
    assert_eq!(running.node.default_ttl(&key).await.unwrap(), Some(Duration::from_secs(9)));
    running.stop().await.unwrap();
}
