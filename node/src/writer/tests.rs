use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use kvs_core::{Body, Command, ContentType, Key, RecordId, Value, VersionId};
use uuid::Uuid;

use super::worker::COLLECT_STEP;
use super::*;
use crate::local;
use crate::store::{Batch, Cached, Column, Cursor, MemoryStore, OwnedRow, Read, Unruly};
use crate::time::ManualClock;

/// How long writes may be on their way to the disk.
const SOON: Duration = Duration::from_millis(1);
/// What takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(30);

fn put(key: &str) -> Write {
    let body = Body::Value(Value::plain(ContentType::JSON, "1".into()));
    let command = Command::put(body, VersionId::new(Uuid::new_v4()));
    Write { record: RecordId::value(Key::client(key).unwrap()), command }
}

fn delete(key: &str) -> Write {
    let command = Command::delete(VersionId::new(Uuid::new_v4()));
    Write { record: RecordId::value(Key::client(key).unwrap()), command }
}

fn start_on(
    store: Arc<dyn Store>,
    durability: Durability,
    queue_bytes: usize,
) -> (Writer, WriterThread) {
    let state = local::open(&*store, Path::new("memory"), kvs_core::UnixMillis(1)).unwrap();
    let digest = Arc::new(Digest::open(Path::new("/nonexistent"), 2, 0));
    let applier = Applier::new(&state, Retention { count: 3, max_age: None });
    let clock = Arc::new(ManualClock::at(1_000));
    let tail = Arc::new(Tail::after(0));
    let (accounts, metadata) = (Arc::new(Accounts::none()), Arc::default());
    let parts = WriterParts {
        store,
        digest,
        tail,
        accounts,
        metadata,
        applier,
        clock,
        durability,
        queue_bytes,
    };
    start(parts).unwrap()
}

#[tokio::test]
async fn what_was_accepted_before_the_stop_is_written() {
    let store = Arc::new(MemoryStore::default());
    let (writer, thread) = start_on(store.clone(), Durability::Sync, 1 << 20);
    let keys: Vec<_> = (0..50).map(|number| format!("k/{number}")).collect();
    let writes = keys.iter().map(|key| writer.submit(vec![put(key)]));
    let answers = futures_util::future::join_all(writes).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|results| results[0].is_ok())));
    thread.stop().unwrap();
    assert!(matches!(writer.submit(vec![put("late")]).await, Err(SubmitError::Stopping)));
    assert_eq!(writer.figures().commits.load(Ordering::Relaxed), 50);
    assert_eq!(writer.figures().waiting_bytes.load(Ordering::Relaxed), 0);
}

/// Else a process that exits then aborts in RocksDB: `pthread lock: Invalid argument`.
#[test]
fn nothing_holds_the_store_once_the_thread_was_dropped() {
    let store = Arc::new(MemoryStore::default());
    let (writer, thread) = start_on(store.clone(), Durability::Sync, 1 << 20);
    let written = writer.enqueue_from_client(Subject::Anonymous, vec![put("k")]);
    drop(thread);
    assert!(written.unwrap().blocking_recv().is_ok(), "what was accepted is written");
    assert!(matches!(writer.raise_clock(Stamp::MIN), Err(SubmitError::Stopping)));
    assert_eq!(Arc::strong_count(&store), 1);
}

#[tokio::test]
async fn a_write_goes_on_when_nobody_waits_for_it_any_more() {
    let store = Arc::new(MemoryStore::default());
    let (writer, thread) = start_on(store.clone(), Durability::Sync, 1 << 20);
    {
        let mut abandoned = Box::pin(writer.submit(vec![put("k")]));
        let _ = futures_util::poll!(&mut abandoned);
    }
    thread.stop().unwrap();
    let row = RecordId::value(Key::client("k").unwrap()).encode();
    assert!(store.get(Column::Data, &row).unwrap().is_some());
}

#[tokio::test]
async fn watchers_learn_of_a_commit_before_its_writer_is_answered() {
    let (writer, thread) = start_on(Arc::new(MemoryStore::default()), Durability::Sync, 1 << 20);
    let committed = writer.committed();
    let before = *committed.borrow();
    writer.submit(vec![put("k")]).await.unwrap();
    assert_eq!(*committed.borrow(), before + 1);
    thread.stop().unwrap();
}

#[tokio::test]
async fn a_sync_that_failed_is_tried_again() {
    let store = Arc::new(Unruly::default());
    store.fail_syncs(2);
    let (writer, thread) = start_on(store.clone(), Durability::Async(SOON), 1 << 20);
    writer.submit(vec![put("k")]).await.unwrap();
    let synced = async {
        while store.syncs() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, synced).await.expect("the write is on disk in the end");
    thread.stop().unwrap();
}

/// A store whose writes wait until the test lets them go, and that has room as the test says.
#[derive(Debug)]
struct Gated {
    inner: MemoryStore,
    gate: Mutex<Receiver<Result<(), StoreError>>>,
    entered: mpsc::Sender<()>,
    full: AtomicBool,
}

/// A key whose row cannot be read.
const DAMAGED: &str = "damaged";
const FULL: StoreError = StoreError::Full { free: 1, reserve: 2 };

impl Gated {
    /// A store that does `results` with the first writes, then waits for more from the sender.
    fn new(
        results: impl IntoIterator<Item = Result<(), StoreError>>,
    ) -> (Arc<Self>, mpsc::Sender<Result<(), StoreError>>, Receiver<()>) {
        let (open, gate) = mpsc::channel();
        let (entered, entries) = mpsc::channel();
        results.into_iter().for_each(|result| open.send(result).unwrap());
        let (inner, full) = (MemoryStore::default(), AtomicBool::new(false));
        (Arc::new(Self { inner, gate: gate.into(), entered, full }), open, entries)
    }
}

impl Store for Gated {
    fn check_room(&self) -> Result<(), StoreError> {
        if self.full.load(Ordering::Relaxed) { Err(FULL) } else { Ok(()) }
    }

    fn write(&self, batch: &Batch, flush: Flush) -> Result<(), StoreError> {
        self.entered.send(()).unwrap();
        self.gate.lock().unwrap().recv().unwrap()?;
        self.inner.write(batch, flush)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.inner.sync()
    }

    fn snapshot(&self) -> Box<dyn Read + '_> {
        self.inner.snapshot()
    }

    fn get_cached(&self, column: Column, key: &[u8]) -> Result<Cached, StoreError> {
        self.inner.get_cached(column, key)
    }

    fn sequence(&self) -> u64 {
        self.inner.sequence()
    }

    fn sizes(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

impl Read for Gated {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if key == RecordId::value(Key::client(DAMAGED).unwrap()).encode() {
            return Err(StoreError::Damaged("a block".into()));
        }
        self.inner.get(column, key)
    }

    fn cursor<'a>(&'a self, column: Column, start: &[u8], end: &[u8]) -> Box<dyn Cursor + 'a> {
        self.inner.cursor(column, start, end)
    }

    fn last(&self, column: Column) -> Result<Option<OwnedRow>, StoreError> {
        self.inner.last(column)
    }
}

#[tokio::test]
async fn clients_that_fill_the_queue_do_not_keep_out_what_other_nodes_accepted() {
    let (store, open, entries) = Gated::new([Ok(())]);
    let one = put("k").bytes();
    let (writer, thread) = start_on(store, Durability::Sync, one);
    entries.recv().unwrap();
    let mut first = Box::pin(writer.submit(vec![put("a")]));
    assert!(futures_util::poll!(&mut first).is_pending());
    entries.recv().unwrap();
    assert!(matches!(writer.submit(vec![put("b")]).await, Err(SubmitError::QueueFull)));

    let to = writer.clone();
    let replicating =
        std::thread::spawn(move || to.replicate(vec![put("c")], Vec::new(), Flush::Later));
    let waiting = || writer.figures().waiting_bytes.load(Ordering::Acquire);
    while waiting() < 2 * one && !replicating.is_finished() {
        std::thread::yield_now();
    }
    open.send(Ok(())).unwrap();
    open.send(Ok(())).unwrap();
    first.await.unwrap();
    assert_eq!(replicating.join().unwrap().unwrap().len(), 1);
    thread.stop().unwrap();
}

#[tokio::test]
async fn a_full_queue_refuses_and_what_waits_goes_into_one_group() {
    let (store, open, entries) = Gated::new([Ok(())]);
    let one = put("k").bytes();
    let (writer, thread) = start_on(store, Durability::Sync, 3 * one);
    entries.recv().unwrap();

    let mut first = Box::pin(writer.submit(vec![put("a")]));
    let mut second = Box::pin(writer.submit(vec![put("b")]));
    let mut third = Box::pin(writer.submit(vec![put("c")]));
    assert!(futures_util::poll!(&mut first).is_pending());
    // The first is being written; the others wait.
    entries.recv().unwrap();
    assert!(futures_util::poll!(&mut second).is_pending());
    assert!(futures_util::poll!(&mut third).is_pending());
    assert!(matches!(writer.submit(vec![put("d")]).await, Err(SubmitError::QueueFull)));

    open.send(Ok(())).unwrap();
    open.send(Err(FULL)).unwrap();
    first.await.unwrap();
    assert!(matches!(second.await, Err(SubmitError::Store(StoreError::Full { .. }))));
    assert!(matches!(third.await, Err(SubmitError::Store(StoreError::Full { .. }))));

    open.send(Ok(())).unwrap();
    writer.submit(vec![put("e")]).await.unwrap();
    thread.stop().unwrap();
    assert_eq!(writer.figures().groups.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_refused_group_does_not_count_as_having_saved_the_clock() {
    let (store, _open, _entries) = Gated::new([Ok(()), Err(FULL), Ok(())]);
    let (writer, thread) = start_on(store.clone(), Durability::Sync, 1 << 20);
    writer.submit(vec![put("a")]).await.unwrap_err();
    let results = writer.submit(vec![put("a")]).await.unwrap();
    let Ok(Applied::Committed(receipt)) = results[0] else { panic!("{results:?}") };
    thread.stop().unwrap();
    let row = store.inner.get(Column::Local, crate::store::rows::local::CLOCK).unwrap().unwrap();
    let floor = Stamp::from_bits(u64::from_be_bytes(row.try_into().unwrap()));
    assert!(floor >= receipt.stamp, "{floor:?} is before {:?}", receipt.stamp);
}

#[tokio::test]
async fn damage_to_one_record_refuses_no_write_to_another() {
    let (store, _open, _entries) = Gated::new([Ok(()), Ok(())]);
    let (writer, thread) = start_on(store.clone(), Durability::Sync, 1 << 20);
    let results = writer.submit(vec![put("a"), put(DAMAGED), put("b")]).await.unwrap();
    assert!(matches!(results[..], [Ok(_), Err(Refused::Damaged), Ok(_)]), "{results:?}");
    thread.stop().unwrap();
    assert_eq!(writer.figures().commits.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn without_room_writes_are_refused_and_the_dead_are_still_removed() {
    let (store, _open, _entries) = Gated::new(std::iter::repeat_n(Ok(()), 8));
    let (writer, thread) = start_on(store.clone(), Durability::Sync, 1 << 20);
    writer.submit(vec![put("a")]).await.unwrap();
    writer.submit(vec![delete("a")]).await.unwrap();
    store.full.store(true, Ordering::Relaxed);
    let refused = writer.submit(vec![put("b")]).await;
    assert!(matches!(refused, Err(SubmitError::Store(StoreError::Full { .. }))), "{refused:?}");
    assert_eq!(writer.collect(Stamp::MAX).await.unwrap(), 1);
    store.full.store(false, Ordering::Relaxed);
    writer.submit(vec![put("b")]).await.unwrap();
    thread.stop().unwrap();
}

#[tokio::test]
async fn the_dead_are_removed_step_by_step() {
    let store = Arc::new(MemoryStore::default());
    let (writer, thread) = start_on(store, Durability::Async(SOON), 8 << 20);
    let keys: Vec<_> = (0..=2 * COLLECT_STEP).map(|number| format!("k/{number}")).collect();
    writer.submit(keys.iter().map(|key| put(key)).collect()).await.unwrap();
    writer.submit(keys.iter().map(|key| delete(key)).collect()).await.unwrap();
    assert_eq!(writer.collect(Stamp::MAX).await.unwrap(), keys.len() as u64);
    assert_eq!(writer.collect(Stamp::MAX).await.unwrap(), 0);
    thread.stop().unwrap();
}
