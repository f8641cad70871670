//! The one thread that writes: it drains a queue into groups, each one batch and one flush.

mod apply;
mod tail;
mod worker;

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use kvs_core::audit::Subject;
use kvs_core::{Format, Stamp};
use thiserror::Error;
use tokio::sync::{oneshot, watch};

pub use apply::{
    Accepted, Applied, Applier, Collected, Outcome, Receipt, Refused, Retention, ScrubPosition,
    Scrubbed, Write, WriteResult,
};

pub use tail::Tail;

use self::worker::{Answer, Job, Submission, Worker};

use crate::accounts::Accounts;
use crate::audit::Notice;
use crate::digest::Digest;
use crate::local::Birth;
use crate::records::MetaKeys;
use crate::store::{Batch, Flush, OwnedRow, Store, StoreError};
use crate::time::WallClock;

/// Roughly what a notice for the tamper-evident log occupies while it waits.
const NOTICE_BYTES: usize = 256;

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Once it is on disk.
    Sync,
    /// At once; it is on disk within this time.
    Async(Duration),
}

/// Why a write was not carried out.
#[derive(Clone, Debug, Error)]
pub enum SubmitError {
    /// Too much is waiting already. Nothing was written.
    #[error("the write queue is full")]
    QueueFull,
    /// The node is stopping. Nothing was written.
    #[error("the node is stopping")]
    Stopping,
    /// The node leaves its cluster. Nothing was written.
    #[error("the node leaves its cluster")]
    Leaving,
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Figures of the writer, for the metrics.
#[derive(Debug, Default)]
pub struct WriterFigures {
    /// Versions committed.
    pub commits: AtomicU64,
    /// Groups written.
    pub groups: AtomicU64,
    /// Dead records removed.
    pub collected: AtomicU64,
    /// Versions that lost, in the order of [`Superseded::ALL`].
    pub superseded: [AtomicU64; 3],
    /// Notices for the tamper-evident log that the store did not take.
    pub unrecorded: AtomicU64,
    /// Bytes of writes that wait.
    pub waiting_bytes: AtomicUsize,
    /// The stamp that was given out last, as bits.
    pub last_stamp: AtomicU64,
    /// The number of the format that versions are written in.
    pub format: AtomicU8,
}

/// The way to the writer thread. Clones lead to the same one.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: Sender<Job>,
    queue_bytes: usize,
    /// What clients' writes wait for.
    flush: Flush,
    figures: Arc<WriterFigures>,
    committed: watch::Receiver<u64>,
    /// Whether clients' writes are refused for good. Held while one is put into the queue, so that
    /// none follows once it is set.
    closed: Arc<RwLock<bool>>,
}

/// The running thread. Joining it yields where it left off; dropping it waits for its end, too: a process
/// that exits while a thread has the store open aborts, since RocksDB's locks are gone before the thread.
#[derive(Debug)]
pub struct WriterThread {
    queue: Sender<Job>,
    handle: Option<JoinHandle<Applier>>,
}

/// What the thread needs.
#[derive(Debug)]
pub struct WriterParts {
    /// Where rows lie.
    pub store: Arc<dyn Store>,
    /// Where rows are counted.
    pub digest: Arc<Digest>,
    /// Where this node's own versions wait for other nodes.
    pub tail: Arc<Tail>,
    /// What follows the records of accounts.
    pub accounts: Arc<Accounts>,
    /// What follows which keys have metadata.
    pub metadata: Arc<MetaKeys>,
    /// Where it goes on.
    pub applier: Applier,
    /// The wall clock.
    pub clock: Arc<dyn WallClock>,
    /// When writes are acknowledged.
    pub durability: Durability,
    /// Bytes of writes that may wait.
    pub queue_bytes: usize,
}

/// Starts the thread.
///
/// # Errors
///
/// The system has no thread to give.
pub fn start(parts: WriterParts) -> std::io::Result<(Writer, WriterThread)> {
    let (queue, jobs) = mpsc::channel();
    let figures = Arc::new(WriterFigures::default());
    let (committed, committed_seen) = watch::channel(parts.applier.last_sequence());
    let queue_bytes = parts.queue_bytes;
    let flush = match parts.durability {
        Durability::Sync => Flush::Synced,
        Durability::Async(_) => Flush::Later,
    };
    figures.last_stamp.store(parts.applier.last_stamp().bits(), Ordering::Release);
    figures.format.store(parts.applier.format().number(), Ordering::Release);
    let worker = Worker { parts, jobs, figures: figures.clone(), committed, unsynced: None };
    let handle = thread::Builder::new().name("kvs-writer".into()).spawn(move || worker.run())?;
    let queue_to = queue.clone();
    let closed = Arc::default();
    let committed = committed_seen;
    let writer = Writer { queue: queue_to, queue_bytes, flush, figures, committed, closed };
    Ok((writer, WriterThread { queue, handle: Some(handle) }))
}

impl Writer {
    /// Has writes carried out, each on its own but all within one flush, and waits until they are
    /// as durable as configured. Dropping the future does not take them back.
    ///
    /// # Errors
    ///
    /// Nothing was written, or the store failed.
    pub async fn submit(&self, writes: Vec<Write>) -> Result<Vec<WriteResult>, SubmitError> {
        self.submit_for(Subject::Anonymous, writes).await
    }

    /// The same for somebody whom the tamper-evident log names.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`].
    pub async fn submit_for(
        &self,
        author: Subject,
        writes: Vec<Write>,
    ) -> Result<Vec<WriteResult>, SubmitError> {
        let answer = self.enqueue_from_client(author, writes)?;
        Ok(answer.await.map_err(|_gone| SubmitError::Stopping)??)
    }

    /// Has versions of other nodes taken over together with rows of `local`, all in one batch; for
    /// threads that may wait.
    ///
    /// # Errors
    ///
    /// Nothing was written, or the store failed.
    pub fn replicate(
        &self,
        versions: Vec<Write>,
        rows: Vec<OwnedRow>,
        flush: Flush,
    ) -> Result<Vec<WriteResult>, SubmitError> {
        // One thread replicates, one message at a time: that bounds what waits of it. Clients that
        // fill the queue must not keep out what other nodes have accepted.
        let (versions, rows) = ((Subject::Node, versions), (rows, Vec::new()));
        let answer = self.enqueue(versions, rows, flush, usize::MAX)?;
        Ok(answer.blocking_recv().map_err(|_gone| SubmitError::Stopping)??)
    }

    /// Moves the clock to at least `to`, after everything that was stamped before is committed, and
    /// returns it; for threads that may wait. The next [`Store::sync`] makes it last.
    ///
    /// # Errors
    ///
    /// The store failed, or the node is stopping.
    pub fn raise_clock(&self, to: Stamp) -> Result<Stamp, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Raise { to, reply })?;
        Ok(answer.blocking_recv().map_err(|_gone| SubmitError::Stopping)??)
    }

    /// Goes on as the node that `birth` says; the store must be empty. For threads that may wait.
    ///
    /// # Errors
    ///
    /// The node is stopping.
    pub fn adopt(&self, birth: Birth) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Adopt { birth, reply })?;
        answer.blocking_recv().map_err(|_gone| SubmitError::Stopping)
    }

    /// Refuses clients' writes from here on. Those that were submitted before are in the queue.
    pub fn close_to_clients(&self) {
        *self.closed.write().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Puts notices into the tamper-evident log. The answer tells when they are on disk, if it is to
    /// be waited for.
    ///
    /// # Errors
    ///
    /// Too much waits, or the node is stopping: they are not recorded.
    pub(crate) fn record(
        &self,
        notices: Vec<Notice>,
        durably: bool,
    ) -> Result<oneshot::Receiver<Answer>, SubmitError> {
        let flush = if durably { self.flush } else { Flush::Later };
        self.enqueue((Subject::Node, Vec::new()), (Vec::new(), notices), flush, self.queue_bytes)
    }

    /// Writes rows that no version depends on; for threads that may wait.
    ///
    /// # Errors
    ///
    /// The store failed, or the node is stopping.
    pub(crate) fn write_batch(&self, batch: Batch, flush: Flush) -> Result<(), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Batch { batch, flush, reply })?;
        Ok(answer.blocking_recv().map_err(|_gone| SubmitError::Stopping)??)
    }

    fn enqueue_from_client(
        &self,
        author: Subject,
        writes: Vec<Write>,
    ) -> Result<oneshot::Receiver<Answer>, SubmitError> {
        let closed = self.closed.read().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return Err(SubmitError::Leaving);
        }
        self.enqueue((author, writes), (Vec::new(), Vec::new()), self.flush, self.queue_bytes)
    }

    fn enqueue(
        &self,
        (author, writes): (Subject, Vec<Write>),
        (rows, notices): (Vec<OwnedRow>, Vec<Notice>),
        flush: Flush,
        most: usize,
    ) -> Result<oneshot::Receiver<Answer>, SubmitError> {
        let written: usize = writes.iter().map(Write::bytes).sum();
        let bytes = written + notices.len() * NOTICE_BYTES;
        let waiting = self.figures.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        // One job always fits, or a large batch could never be written.
        if waiting > 0 && waiting.saturating_add(bytes) > most {
            self.figures.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
            return Err(SubmitError::QueueFull);
        }
        let (reply, answer) = oneshot::channel();
        let submission = Submission { writes, author, rows, notices, flush, bytes, reply };
        self.send(Job::Writes(submission)).inspect_err(|_stopping| {
            self.figures.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
        })?;
        Ok(answer)
    }

    /// Checks a bit of the index, mends what is wrong with it, and says where to go on.
    ///
    /// # Errors
    ///
    /// The store failed, or the node is stopping.
    pub async fn scrub(&self, at: ScrubPosition) -> Result<(Scrubbed, ScrubPosition), SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Scrub { at, reply })?;
        Ok(answer.await.map_err(|_gone| SubmitError::Stopping)??)
    }

    /// As [`Self::collect`], for threads that may wait.
    ///
    /// # Errors
    ///
    /// The store failed, or the node is stopping.
    pub fn collect_blocking(&self, horizon: Stamp) -> Result<u64, SubmitError> {
        let (mut collected, mut from) = (0, Vec::new());
        loop {
            let (reply, answer) = oneshot::channel();
            self.send(Job::Collect { horizon, from, reply })?;
            let (step, next) = answer.blocking_recv().map_err(|_gone| SubmitError::Stopping)??;
            collected += step;
            let Some(mut next) = next else { return Ok(collected) };
            next.push(0);
            from = next;
        }
    }

    /// Removes the records that were dead before `horizon`, and says how many there were.
    ///
    /// # Errors
    ///
    /// The store failed, or the node is stopping.
    pub async fn collect(&self, horizon: Stamp) -> Result<u64, SubmitError> {
        let (mut collected, mut from) = (0, Vec::new());
        loop {
            let (reply, answer) = oneshot::channel();
            self.send(Job::Collect { horizon, from, reply })?;
            let (step, next) = answer.await.map_err(|_gone| SubmitError::Stopping)??;
            collected += step;
            let Some(mut next) = next else { return Ok(collected) };
            next.push(0);
            from = next;
        }
    }

    /// The sequence of the last commit, and the means to wait for the next. Ends with the thread.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// Waits until the thread has ended, which it does at a stop or by a panic.
    pub async fn ended(&self) {
        let mut committed = self.committed.clone();
        while committed.changed().await.is_ok() {}
    }

    /// Whether the thread has ended.
    pub fn has_ended(&self) -> bool {
        self.committed.has_changed().is_err()
    }

    /// The format that versions are written in.
    pub fn format(&self) -> Format {
        Format::of(self.figures.format.load(Ordering::Acquire)).unwrap_or(Format::NEWEST)
    }

    /// Figures for the metrics.
    pub fn figures(&self) -> &WriterFigures {
        &self.figures
    }

    fn send(&self, job: Job) -> Result<(), SubmitError> {
        self.queue.send(job).map_err(|_gone| SubmitError::Stopping)
    }
}

impl WriterThread {
    /// Lets the thread finish what is waiting, and ends it.
    ///
    /// # Errors
    ///
    /// The thread panicked.
    pub fn stop(mut self) -> thread::Result<Applier> {
        self.join().unwrap_or_else(|| Err(Box::new("the thread was joined before")))
    }

    fn join(&mut self) -> Option<thread::Result<Applier>> {
        let handle = self.handle.take()?;
        // A thread that is gone already cannot be told to go.
        let _ = self.queue.send(Job::Stop);
        Some(handle.join())
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        // A panic of the thread was said where it happened.
        let _ = self.join();
    }
}

#[cfg(test)]
mod tests;
