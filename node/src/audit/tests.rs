//! Logs of running nodes, and what becomes of them.

mod archives;
mod peers;
mod tampering;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kvs_config::{Settings, Size};
use kvs_core::audit::{Entry, Event, KeyHasher, Outcome, SignedHead, Subject};
use kvs_core::scope::Right;
use kvs_core::{Body, Command, ContentType, Key, Meta, NodeId, RecordId, UserId, Value, VersionId};
use tempfile::TempDir;
use uuid::Uuid;

use super::stored::last_head;
use super::verify::{self, Fault, Order, Report};
use super::*;
use crate::caller::Caller;
use crate::local;
use crate::node::{Node, Running};
use crate::store::{Batch, Column, Flush, Read as _, RocksOptions, RocksStore, Store as _};
use crate::time::ManualClock;
use crate::writer::Write;

const NOW: u64 = 1_700_000_000_000;
const SEGMENT: u32 = 256;

/// A data directory.
struct Site {
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// One with a log of so many entries, the first of which says that the node started.
    async fn with(entries: u64) -> Self {
        let site = Self::new();
        let running = site.start();
        fill(&running.node, entries - 1).await;
        running.stop().await.unwrap();
        site
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn settings(&self) -> Settings {
        Settings {
            data_dir: self.path(),
            digest_leaves: 65_536,
            clustering_enabled: false,
            // Accounts are entries of their own.
            auth_enabled: false,
            tamper_logging_enabled: true,
            audit_segment: SEGMENT,
            ..Settings::default()
        }
    }

    fn start(&self) -> Running {
        start(self.settings())
    }

    fn store(&self) -> RocksStore {
        open(&self.path())
    }

    /// Changes rows behind the node's back.
    fn change(&self, change: impl FnOnce(&RocksStore, &mut Batch)) {
        let store = self.store();
        let mut batch = Batch::default();
        change(&store, &mut batch);
        store.write(&batch, Flush::Synced).unwrap();
    }

    fn verify(&self) -> Result<Report, Fault> {
        verify::directory(&self.path(), &Order::default())
    }

    fn entries(&self) -> Vec<Entry> {
        let store = self.store();
        let log = Log::open(&store, &self.path()).unwrap();
        (0..log.sizes().size).map(|sequence| log.entry(sequence).unwrap().unwrap()).collect()
    }
}

fn start(settings: Settings) -> Running {
    Running::start(settings, Arc::new(ManualClock::at(NOW))).unwrap()
}

fn open(data_dir: &Path) -> RocksStore {
    let options = RocksOptions { block_cache: 8 << 20, write_buffer: 8 << 20, disk_reserve: 0 };
    RocksStore::open(data_dir, &options).unwrap()
}

fn record(key: &str) -> RecordId {
    RecordId::value(Key::client(key).unwrap())
}

fn version() -> VersionId {
    VersionId::new(Uuid::new_v4())
}

fn put(key: &str, uuid: VersionId) -> Write {
    let value = Value::plain(ContentType::JSON, "1".into());
    Write { record: record(key), command: Command::put(Body::Value(value), uuid) }
}

async fn fill(node: &Node, count: u64) {
    let writes: Vec<Write> = (0..count).map(|at| put(&format!("k/{at}"), version())).collect();
    for writes in writes.chunks(200) {
        node.write(writes.to_vec()).await.unwrap();
    }
}

/// Has a node sign and archive now.
async fn keep(node: &Arc<Node>) {
    kept(node).await.unwrap();
}

/// The same where that may fail.
async fn kept(node: &Arc<Node>) -> Result<(), AuditError> {
    let node = node.clone();
    tokio::task::spawn_blocking(move || node.audit().keep(&node)).await.unwrap()
}

/// The leaf hash that a row begins with, and its entry.
fn row(store: &RocksStore, sequence: u64) -> Vec<u8> {
    store.get(Column::Audit, &layout::entry(sequence)).unwrap().unwrap()
}

#[tokio::test]
async fn every_change_is_an_entry_under_the_name_of_who_made_it() {
    let site = Site::new();
    let running = site.start();
    let node = &running.node;
    let user = UserId::new(Uuid::from_u128(7));
    let [written, deleted, governed] = [version(), version(), version()];
    node.write(vec![put("a", written)]).await.unwrap();
    let meta = Command::put(Body::Meta(Meta::default()), governed);
    let record_of_meta = RecordId::meta(Key::client("a").unwrap());
    let writes = vec![
        Write { record: record("a"), command: Command::delete(deleted) },
        Write { record: record_of_meta.clone(), command: meta },
        // It is not there, so nothing is done.
        Write { record: record("b"), command: Command::delete(version()) },
    ];
    node.writer().submit_for(Subject::User(user), writes).await.unwrap();
    let denied =
        Notice::refused(Event::Denial(Right::Delete), Subject::Anonymous, Some(record("a")));
    node.audit().record(denied);
    let right = Event::Admin(Right::UpdateCluster);
    node.audit().record_durably(Notice::done(right, Subject::Socket)).await.unwrap();
    let secret = *node.identity().digest_key.bytes();
    running.stop().await.unwrap();

    let hasher = KeyHasher::new(&secret);
    let hash = |record: &RecordId| Some(hasher.hash(record));
    let entries = site.entries();
    let said: Vec<_> = entries
        .iter()
        .map(|entry| (entry.event, entry.subject, entry.key, entry.outcome))
        .collect();
    let (done, by) = (Outcome::Done, Subject::User(user));
    let expected = [
        (Event::Started, Subject::Node, None, done),
        (Event::Write(written), Subject::Node, hash(&record("a")), done),
        (Event::Delete(deleted), by, hash(&record("a")), done),
        (Event::Metadata(governed), by, hash(&record_of_meta), done),
        (Event::Denial(Right::Delete), Subject::Anonymous, hash(&record("a")), Outcome::Refused),
        (Event::Admin(Right::UpdateCluster), Subject::Socket, None, done),
    ];
    assert_eq!(said, expected);
    let report = site.verify().unwrap();
    assert_eq!((report.summary.size, report.summary.signed), (6, 6));
}

#[tokio::test]
async fn a_log_goes_on_after_a_restart_and_says_that_there_was_one() {
    let site = Site::with(10).await;
    let running = site.start();
    fill(&running.node, 5).await;
    running.stop().await.unwrap();
    let started = |(at, entry): (usize, &Entry)| (entry.event == Event::Started).then_some(at);
    let entries = site.entries();
    assert_eq!(entries.iter().enumerate().filter_map(started).collect::<Vec<_>>(), [0, 10]);
    assert_eq!(site.verify().unwrap().summary.size, 16);
}

#[tokio::test]
async fn nothing_is_written_down_while_it_is_off() {
    let site = Site::new();
    let running = start(Settings { tamper_logging_enabled: false, ..site.settings() });
    fill(&running.node, 3).await;
    running.node.audit().record(Notice::done(Event::Started, Subject::Node));
    assert!(running.node.audit().head().is_none() && running.node.audit().figures().is_none());
    running.stop().await.unwrap();
    assert!(matches!(site.verify(), Err(Fault::Nothing { .. })));
    assert_eq!(site.store().last(Column::Audit).unwrap(), None);
}

#[tokio::test]
async fn a_head_is_signed_anew_only_over_what_is_new() {
    let site = Site::new();
    let running = site.start();
    let node = running.node.clone();
    fill(&node, 3).await;
    keep(&node).await;
    let (head, key) = node.audit().head().unwrap();
    assert!(is_signed(&key, &head) && head.head.size == 4);
    assert!(!is_signed(&[1; 32], &head));
    keep(&node).await;
    assert_eq!(node.audit().head().unwrap().0, head);
    fill(&node, 1).await;
    keep(&node).await;
    assert_eq!(node.audit().head().unwrap().0.head.size, 5);
    drop(node);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn an_emptied_node_keeps_its_log_and_another_node_begins_its_own() {
    let site = Site::with(300).await;
    let node = local::identity(&site.store()).unwrap().unwrap().node;
    local::mark_for_emptying(&site.store(), false).unwrap();
    site.start().stop().await.unwrap();
    assert_eq!(site.verify().unwrap().summary.size, 301);

    local::mark_for_emptying(&site.store(), true).unwrap();
    site.start().stop().await.unwrap();
    let report = site.verify().unwrap();
    assert_eq!(report.summary.size, 1);
    assert_ne!(report.node, node);
    let aside = site.path().join("audit").join(node.to_string());
    let archives = std::fs::read_dir(&aside).unwrap().map(|file| file.unwrap().path());
    let old: Vec<_> =
        archives.map(|path| verify::archive(&path, &Order::default()).unwrap()).collect();
    assert_eq!(old.len(), 1);
    assert_eq!((old[0].node, old[0].summary.size, old[0].summary.signed), (node, 301, 301));
}

#[tokio::test]
async fn a_node_whose_disk_is_full_can_become_another_one() {
    let site = Site::with(300).await;
    let node = local::identity(&site.store()).unwrap().unwrap().node;
    local::mark_for_emptying(&site.store(), true).unwrap();
    let full = Settings { disk_reserve: Size::gib(u16::MAX), ..site.settings() };
    start(full).stop().await.unwrap();
    let aside = site.path().join("audit").join(node.to_string());
    assert_eq!(std::fs::read_dir(&aside).unwrap().count(), 1);
}

#[tokio::test]
async fn what_a_group_could_not_write_is_not_in_the_log() {
    let store = crate::store::MemoryStore::default();
    let mut appender = Appender::open(&store).unwrap();
    let said =
        Said { event: Event::Started, subject: Subject::Node, key: None, outcome: Outcome::Done };
    let time = kvs_core::UnixMillis(1);
    let mut lost = Batch::default();
    appender.clone().append(&mut lost, time, said);
    let mut batch = Batch::default();
    appender.append(&mut batch, time, said);
    appender.finish(&mut batch);
    store.write(&batch, Flush::Synced).unwrap();
    assert_eq!(Appender::open(&store).unwrap().size(), 1);
}

#[tokio::test]
async fn hexadecimal_digits_are_read_as_they_are_written() {
    assert_eq!(bytes_of(&hex(&[0, 255, 16])), Some(vec![0, 255, 16]));
    for wrong in ["0", "0g", "+1", " 1", "é"] {
        assert_eq!(bytes_of(wrong), None, "{wrong}");
    }
    assert_eq!(from_hex(&hex(&[7; 32])), Some([7; 32]));
    assert_eq!(from_hex(&hex(&[7; 31])), None);
}

#[test]
fn callers_without_a_name_are_anonymous() {
    assert_eq!(Caller::anybody().subject(), Subject::Anonymous);
}

#[tokio::test]
async fn everything_that_could_not_be_recorded_is_counted() {
    let site = Site::new();
    let running = site.start();
    let node = running.node.clone();
    running.stop().await.unwrap();
    for address in ["10.0.0.1", "10.0.0.2", "10.0.0.3"] {
        node.audit().login_failed(address.parse().unwrap());
    }
    kept(&node).await.unwrap_err();
    assert_eq!(node.audit().figures().unwrap().dropped, 3);
}
