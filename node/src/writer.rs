//! The one thread that writes: it drains a queue into groups, each one batch and one flush.

mod apply;
mod tail;

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kvs_core::audit::Subject;
use kvs_core::{Format, Stamp, Superseded};
use thiserror::Error;
use tokio::sync::{oneshot, watch};

pub use apply::{
    Accepted, Applied, Applier, Collected, Outcome, Receipt, Refused, Retention, ScrubPosition,
    Scrubbed, Write, WriteResult,
};

pub use tail::Tail;

use crate::accounts::Accounts;
use crate::audit::Notice;
use crate::digest::Digest;
use crate::local::Birth;
use crate::records::MetaKeys;
use crate::store::{Batch, Flush, OwnedRow, Store, StoreError};
use crate::time::{WallClock, monotonic};

/// Writes that go into one group while more are waiting.
const GROUP_WRITES: usize = 256;
/// Bytes of writes that go into one group while more are waiting.
const GROUP_BYTES: usize = 4 << 20;
/// Dead records that are removed in one group, so that collecting never holds writers up for long.
const COLLECT_STEP: usize = 512;
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

/// The running thread. Joining it yields where it left off.
#[derive(Debug)]
pub struct WriterThread {
    queue: Sender<Job>,
    handle: JoinHandle<Applier>,
}

/// What the thread is to do.
#[derive(Debug)]
enum Job {
    Writes(Submission),
    Collect { horizon: Stamp, from: Vec<u8>, reply: oneshot::Sender<Collecting> },
    Scrub { at: ScrubPosition, reply: oneshot::Sender<Scrubbing> },
    Raise { to: Stamp, reply: oneshot::Sender<Result<Stamp, StoreError>> },
    Adopt { birth: Birth, reply: oneshot::Sender<()> },
    Batch { batch: Batch, flush: Flush, reply: oneshot::Sender<Result<(), StoreError>> },
    Stop,
}

/// Writes that belong together, and where their results go.
#[derive(Debug)]
struct Submission {
    writes: Vec<Write>,
    /// Who asked for them.
    author: Subject,
    rows: Vec<OwnedRow>,
    notices: Vec<Notice>,
    flush: Flush,
    bytes: usize,
    reply: Reply,
}

/// What a step of a scrub found, and where the next goes on.
type Scrubbing = Result<(Scrubbed, ScrubPosition), StoreError>;

/// How many records a step removed, and where the next goes on.
type Collecting = Result<(u64, Option<Vec<u8>>), StoreError>;

type Answer = Result<Vec<WriteResult>, StoreError>;

type Reply = oneshot::Sender<Answer>;

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
    let thread = Thread { parts, jobs, figures: figures.clone(), committed, unsynced: None };
    let handle = thread::Builder::new().name("kvs-writer".into()).spawn(move || thread.run())?;
    let queue_to = queue.clone();
    let closed = Arc::default();
    let committed = committed_seen;
    let writer = Writer { queue: queue_to, queue_bytes, flush, figures, committed, closed };
    Ok((writer, WriterThread { queue, handle }))
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
    pub fn stop(self) -> thread::Result<Applier> {
        // A thread that is gone already cannot be told to go.
        let _ = self.queue.send(Job::Stop);
        self.handle.join()
    }
}

struct Thread {
    parts: WriterParts,
    jobs: Receiver<Job>,
    figures: Arc<WriterFigures>,
    committed: watch::Sender<u64>,
    /// When what was written is to be brought to disk.
    unsynced: Option<Instant>,
}

/// Submissions whose writes make one group.
struct Pending {
    writes: Vec<(Write, Subject)>,
    rows: Vec<OwnedRow>,
    notices: Vec<Notice>,
    flush: Flush,
    /// How many writes each submission has, and where its results go.
    replies: Vec<(usize, Reply)>,
    bytes: usize,
}

impl From<Submission> for Pending {
    fn from(submission: Submission) -> Self {
        let empty = Self {
            writes: Vec::with_capacity(submission.writes.len()),
            rows: Vec::new(),
            notices: Vec::new(),
            flush: Flush::Later,
            replies: Vec::new(),
            bytes: 0,
        };
        empty.with(submission)
    }
}

impl Pending {
    fn with(mut self, submission: Submission) -> Self {
        self.add(submission);
        self
    }

    fn add(&mut self, submission: Submission) {
        self.replies.push((submission.writes.len(), submission.reply));
        let author = submission.author;
        self.writes.extend(submission.writes.into_iter().map(|write| (write, author)));
        self.rows.extend(submission.rows);
        self.notices.extend(submission.notices);
        self.bytes += submission.bytes;
        if submission.flush == Flush::Synced {
            self.flush = Flush::Synced;
        }
    }

    fn is_full(&self) -> bool {
        self.writes.len() >= GROUP_WRITES || self.bytes >= GROUP_BYTES
    }
}

impl Thread {
    fn run(mut self) -> Applier {
        loop {
            self.sync_if_due();
            match self.next_job() {
                Ok(Job::Writes(submission)) => {
                    let mut pending = Pending::from(submission);
                    let other = self.fill(&mut pending);
                    self.write(pending);
                    if other.is_some_and(|job| self.attend(job)) {
                        break;
                    }
                }
                Ok(job) => {
                    if self.attend(job) {
                        break;
                    }
                }
                // Due: seen to at the next turn.
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.sync();
        self.parts.applier
    }

    fn next_job(&mut self) -> Result<Job, RecvTimeoutError> {
        match self.unsynced {
            None => self.jobs.recv().map_err(|_gone| RecvTimeoutError::Disconnected),
            Some(due) => self.jobs.recv_timeout(due.saturating_duration_since(monotonic())),
        }
    }

    /// Adds what waits to the group, up to its bound; returns a job that is not a write.
    fn fill(&self, pending: &mut Pending) -> Option<Job> {
        while !pending.is_full() {
            match self.jobs.try_recv() {
                Ok(Job::Writes(submission)) => pending.add(submission),
                Ok(job) => return Some(job),
                Err(_empty) => return None,
            }
        }
        None
    }

    /// Carries out a job that is not a write; says whether to stop.
    fn attend(&mut self, job: Job) -> bool {
        match job {
            Job::Stop => {
                self.drain();
                true
            }
            Job::Collect { horizon, from, reply } => {
                let collected = self.collect(horizon, &from);
                // Nobody may be waiting any more; it is done all the same.
                let _ = reply.send(collected);
                false
            }
            Job::Scrub { at, reply } => {
                let WriterParts { store, digest, applier, .. } = &self.parts;
                let _ = reply.send(applier.scrub(&**store, digest, at));
                false
            }
            Job::Raise { to, reply } => {
                let WriterParts { store, applier, clock, .. } = &mut self.parts;
                let raised = applier.raise_clock(&**store, to, clock.now());
                self.note_applier();
                let _ = reply.send(raised);
                false
            }
            Job::Adopt { birth, reply } => {
                self.parts.applier.adopt(&birth);
                self.note_applier();
                let _ = reply.send(());
                false
            }
            Job::Batch { batch, flush, reply } => {
                let _ = reply.send(self.parts.store.write(&batch, flush));
                false
            }
            Job::Writes(submission) => {
                self.write(submission.into());
                false
            }
        }
    }

    /// Writes what was accepted before the stop.
    fn drain(&mut self) {
        while let Ok(job) = self.jobs.try_recv() {
            if let Job::Writes(submission) = job {
                self.write(submission.into());
            }
        }
    }

    fn write(&mut self, pending: Pending) {
        let now = self.parts.clock.now();
        let store = self.parts.store.clone();
        let applier = &mut self.parts.applier;
        let Pending { writes, rows, notices, flush, .. } = pending;
        let extra = (&rows[..], &notices[..]);
        let result =
            store.check_room().and_then(|()| applier.apply_for(&*store, writes, extra, now, flush));
        self.figures.waiting_bytes.fetch_sub(pending.bytes, Ordering::AcqRel);
        match result {
            Ok(outcome) => self.answer(outcome, pending.replies),
            Err(error) => {
                self.figures.unrecorded.fetch_add(notices.len() as u64, Ordering::Relaxed);
                refuse(&error, pending.replies);
            }
        }
    }

    fn answer(&mut self, mut outcome: Outcome, replies: Vec<(usize, Reply)>) {
        self.note(&mut outcome);
        let mut results = outcome.results.into_iter();
        for (count, reply) in replies {
            // A client that hung up does not take its write back.
            let _ = reply.send(Ok(results.by_ref().take(count).collect()));
        }
    }

    /// Lets digest, figures and watchers know, before anybody is answered.
    fn note(&mut self, outcome: &mut Outcome) {
        self.parts.digest.update(outcome);
        self.parts.metadata.note(&outcome.metadata);
        self.parts.accounts.follow(&std::mem::take(&mut outcome.system));
        self.figures.groups.fetch_add(1, Ordering::Relaxed);
        self.figures.commits.fetch_add(outcome.added.len() as u64, Ordering::Relaxed);
        for reason in &outcome.superseded {
            let at = Superseded::ALL.iter().position(|known| known == reason).unwrap_or(0);
            self.figures.superseded[at].fetch_add(1, Ordering::Relaxed);
        }
        self.note_applier();
        if !outcome.added.is_empty() {
            let last = self.parts.applier.last_sequence();
            self.parts.tail.extend(outcome, last);
            self.committed.send_replace(self.parts.applier.last_sequence());
        }
        if let Durability::Async(within) = self.parts.durability {
            // The flush must have ended within that time, so it begins at half of it.
            self.unsynced.get_or_insert_with(|| monotonic() + within / 2);
        }
    }

    /// Lets others see where the applier stands.
    fn note_applier(&self) {
        let applier = &self.parts.applier;
        self.figures.last_stamp.store(applier.last_stamp().bits(), Ordering::Release);
        self.figures.format.store(applier.format().number(), Ordering::Release);
    }

    fn collect(&mut self, horizon: Stamp, from: &[u8]) -> Collecting {
        let store = self.parts.store.clone();
        let step = self.parts.applier.collect(&*store, horizon, from, COLLECT_STEP)?;
        self.parts.digest.update(&step.outcome);
        let count = step.outcome.removed.len() as u64;
        self.figures.collected.fetch_add(count, Ordering::Relaxed);
        Ok((count, step.next))
    }

    fn sync_if_due(&mut self) {
        if self.unsynced.is_some_and(|due| due <= monotonic()) {
            self.sync();
        }
    }

    /// Brings to disk what is not there yet; what cannot be is tried again.
    fn sync(&mut self) {
        let Durability::Async(within) = self.parts.durability else { return };
        if self.unsynced.take().is_some()
            && let Err(error) = self.parts.store.sync()
        {
            tracing::error!(%error, "writes that were acknowledged are not on disk yet");
            self.unsynced = Some(monotonic() + within);
        }
    }
}

fn refuse(error: &StoreError, replies: Vec<(usize, Reply)>) {
    tracing::error!(%error, writes = replies.len(), "a group of writes was not carried out");
    for (_, reply) in replies {
        let _ = reply.send(Err(error.clone()));
    }
}

#[cfg(test)]
mod tests;
