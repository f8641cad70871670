//! What the thread does with its queue: groups of what waits, each one batch and one flush.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use kvs_core::audit::Subject;
use kvs_core::{Stamp, Superseded};
use tokio::sync::{oneshot, watch};

use super::{
    Applier, Durability, Outcome, ScrubPosition, Scrubbed, Write, WriteResult, WriterFigures,
    WriterParts,
};
use crate::audit::Notice;
use crate::local::Birth;
use crate::store::{Batch, Flush, OwnedRow, StoreError};
use crate::time::monotonic;

/// Writes that go into one group while more are waiting.
const GROUP_WRITES: usize = 256;
/// Bytes of writes that go into one group while more are waiting.
const GROUP_BYTES: usize = 4 << 20;
/// Dead records that are removed in one group, so that collecting never holds writers up for long.
pub(super) const COLLECT_STEP: usize = 512;

/// What the thread is to do.
#[derive(Debug)]
pub(super) enum Job {
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
pub(super) struct Submission {
    pub(super) writes: Vec<Write>,
    /// Who asked for them.
    pub(super) author: Subject,
    pub(super) rows: Vec<OwnedRow>,
    pub(super) notices: Vec<Notice>,
    pub(super) flush: Flush,
    pub(super) bytes: usize,
    pub(super) reply: Reply,
}

/// What a step of a scrub found, and where the next goes on.
pub(super) type Scrubbing = Result<(Scrubbed, ScrubPosition), StoreError>;

/// How many records a step removed, and where the next goes on.
pub(super) type Collecting = Result<(u64, Option<Vec<u8>>), StoreError>;

pub(super) type Answer = Result<Vec<WriteResult>, StoreError>;

pub(super) type Reply = oneshot::Sender<Answer>;

pub(super) struct Worker {
    pub(super) parts: WriterParts,
    pub(super) jobs: Receiver<Job>,
    pub(super) figures: Arc<WriterFigures>,
    pub(super) committed: watch::Sender<u64>,
    /// When what was written is to be brought to disk.
    pub(super) unsynced: Option<Instant>,
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

impl Worker {
    pub(super) fn run(mut self) -> Applier {
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
