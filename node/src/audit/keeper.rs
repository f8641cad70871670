//! The log of a running node: what is recorded, when heads are signed, when entries are archived.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kvs_config::Settings;
use kvs_core::NodeId;
use kvs_core::audit::{Event, Head, SignedHead, Subject};
use thiserror::Error;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::archive::{ArchiveError, Archives, Part};
use super::layout::{self, Edge};
use super::{NodeKey, Notice, PublicKey, Seen};
use crate::node::Node;
use crate::store::{Batch, Column, Flush, Read, Store, StoreError};
use crate::writer::{SubmitError, Writer};

/// How often a head is signed while there is something new: what a node could rewrite unseen is what
/// it wrote since its peers last asked.
const SIGN_EVERY: Duration = Duration::from_secs(1);
/// Rows that are deleted in one batch.
const DELETE_STEP: usize = 4_096;

/// Why the log is not kept as it should be. What was recorded stays.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer failed or is stopping.
    #[error(transparent)]
    Writer(#[from] SubmitError),
    /// Entries cannot be archived.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// A node's log. Where `tamper_logging_enabled` is off, nothing is recorded.
#[derive(Debug)]
pub struct Audit {
    on: Option<On>,
}

#[derive(Debug)]
struct On {
    key: NodeKey,
    writer: Writer,
    data_dir: PathBuf,
    /// Entries of an archive.
    segment: u64,
    /// The head that is on disk.
    head: Mutex<Option<SignedHead>>,
    peers: Mutex<BTreeMap<NodeId, Seen>>,
    /// Held by whoever signs and archives.
    keeping: Mutex<()>,
    dropped: AtomicU64,
    archived: AtomicU64,
    /// Whether the log is known to be no more as it was written.
    tampered: AtomicBool,
}

/// Figures for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditFigures {
    /// Entries under the last head.
    pub signed: u64,
    /// Entries in archives.
    pub archived: u64,
    /// What could not be recorded.
    pub dropped: u64,
    /// Other nodes whose log is known, and those of them that rewrote it.
    pub peers: (u64, u64),
    /// Whether the log is known to be no more as it was written.
    pub tampered: bool,
}

impl Audit {
    /// The log in a store that `writer` writes to.
    ///
    /// # Errors
    ///
    /// It cannot be read, or its key not be made.
    pub fn open(
        settings: &Settings,
        store: &dyn Store,
        writer: &Writer,
    ) -> Result<Self, StoreError> {
        if !settings.tamper_logging_enabled {
            return Ok(Self { on: None });
        }
        let on = On {
            key: NodeKey::open(store)?,
            writer: writer.clone(),
            data_dir: settings.data_dir.clone(),
            segment: settings.audit_segment.into(),
            head: Mutex::new(last_head(store)?),
            peers: Mutex::new(seen(store)?),
            keeping: Mutex::default(),
            dropped: AtomicU64::new(0),
            archived: AtomicU64::new(Edge::read(store, layout::BASE)?.size()),
            tampered: AtomicBool::new(false),
        };
        on.compare_with_head(Edge::read(store, layout::END)?.size());
        let audit = Self { on: Some(on) };
        audit.record(Notice::done(Event::Started, Subject::Node));
        Ok(audit)
    }

    /// Whether anything is recorded.
    pub const fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// Records what happened, with the next group of writes. Returns at once. Where too much waits
    /// for the writer already, or the disk is full, it is counted and said that it was not.
    pub fn record(&self, notice: Notice) {
        let Some(on) = &self.on else { return };
        if let Err(error) = on.writer.record(vec![notice], false) {
            on.drop_one(&error);
        }
    }

    /// Records what happened, and waits until that is as durable as a write.
    ///
    /// # Errors
    ///
    /// It was not recorded.
    pub async fn record_durably(&self, notice: Notice) -> Result<(), SubmitError> {
        let Some(on) = &self.on else { return Ok(()) };
        let recorded = async {
            let answer = on.writer.record(vec![notice], true)?;
            answer.await.map_err(|_gone| SubmitError::Stopping)??;
            Ok(())
        };
        recorded.await.inspect_err(|error| on.drop_one(error))
    }

    /// The head that is on disk, and the key that it is signed with.
    pub fn head(&self) -> Option<(SignedHead, PublicKey)> {
        let on = self.on.as_ref()?;
        let head = lock(&on.head).clone()?;
        Some((head, *on.key.public()))
    }

    /// What is known of the logs of other nodes.
    pub fn peers(&self) -> BTreeMap<NodeId, Seen> {
        self.on.as_ref().map(|on| lock(&on.peers).clone()).unwrap_or_default()
    }

    /// Figures for the metrics; nothing where it is off.
    pub fn figures(&self) -> Option<AuditFigures> {
        let on = self.on.as_ref()?;
        let peers = lock(&on.peers);
        let alarms = peers.values().filter(|seen| seen.alarm.is_some()).count();
        Some(AuditFigures {
            signed: lock(&on.head).as_ref().map_or(0, |head| head.head.size),
            archived: on.archived.load(Ordering::Relaxed),
            dropped: on.dropped.load(Ordering::Relaxed),
            peers: (peers.len() as u64, alarms as u64),
            tampered: on.tampered.load(Ordering::Relaxed),
        })
    }

    /// Keeps what is known now of other nodes' logs. Waits.
    pub(super) fn keep_seen(&self, news: BTreeMap<NodeId, Seen>) -> Result<(), AuditError> {
        let Some(on) = &self.on else { return Ok(()) };
        let row = |(node, seen): (&NodeId, &Seen)| (layout::peer(*node), json(seen));
        let rows: Vec<_> = news.iter().map(row).collect();
        on.writer.replicate(Vec::new(), rows, Flush::Later)?;
        lock(&on.peers).extend(news);
        Ok(())
    }

    /// Signs what is new and archives what is old. Waits.
    ///
    /// # Errors
    ///
    /// The store failed, or the log is not as it was written.
    pub fn keep(&self, node: &Node) -> Result<(), AuditError> {
        let Some(on) = &self.on else { return Ok(()) };
        let _alone = lock(&on.keeping);
        let store = node.store();
        if let Some(head) = on.next_head(node, store)? {
            let rows = vec![(layout::HEAD.to_vec(), json(&head))];
            // Nobody may see a head of entries that a crash could still take away.
            on.writer.replicate(Vec::new(), rows, Flush::Synced)?;
            *lock(&on.head) = Some(head);
        }
        on.archive(node, store)
    }

    /// Signs the last entries of a node whose writer has ended.
    ///
    /// # Errors
    ///
    /// The head cannot be written; the last entries are under none.
    pub fn close(&self, node: &Node) -> Result<(), StoreError> {
        let Some(on) = &self.on else { return Ok(()) };
        let store = node.store();
        let Some(head) = on.next_head(node, store)? else { return Ok(()) };
        let mut batch = Batch::default();
        batch.put(Column::Local, layout::HEAD, &json(&head));
        store.write(&batch, Flush::Synced)
    }
}

impl On {
    /// The head of the log as it is now, unless it is signed already.
    fn next_head(&self, node: &Node, store: &dyn Store) -> Result<Option<SignedHead>, StoreError> {
        let edge = Edge::read(store, layout::END)?;
        let cluster = cluster_of(node);
        let last = lock(&self.head);
        let same =
            |last: &SignedHead| (last.head.size, last.head.cluster) == (edge.size(), cluster);
        if last.as_ref().is_some_and(same) {
            return Ok(None);
        }
        Ok(Some(self.key.sign(head_at(node, &edge))))
    }

    /// Archives the oldest entries once there are twice as many as an archive has.
    fn archive(&self, node: &Node, store: &dyn Store) -> Result<(), AuditError> {
        let base = Edge::read(store, layout::BASE)?;
        let size = Edge::read(store, layout::END)?.size();
        if size.saturating_sub(base.size()) < 2 * self.segment || self.is_tampered() {
            return Ok(());
        }
        let (node_id, count) = (node.identity().node, self.segment);
        let part = Part { node: node_id, begin: &base, count, checked: true };
        let seal = |edge: &Edge| Some((self.key.sign(head_at(node, edge)), *self.key.public()));
        let written = Archives::of(&self.data_dir).write(&part, row_of(store), seal);
        let (path, edge) = written.inspect_err(|error| self.note_damage(error))?;
        tracing::info!(path = %path.display(), "entries of the audit log were archived");
        let mut batch = Batch::default();
        batch.put(Column::Local, layout::BASE, &edge.to_bytes());
        self.writer.write_batch(batch, Flush::Synced)?;
        self.archived.store(edge.size(), Ordering::Relaxed);
        self.delete_before(store, edge.size())
    }

    /// Deletes the entries that are in archives.
    fn delete_before(&self, store: &dyn Store, base: u64) -> Result<(), AuditError> {
        loop {
            let mut batch = Batch::default();
            let mut rows = store.cursor(Column::Audit, &layout::entry(0), &layout::entry(base));
            for _ in 0..DELETE_STEP {
                let Some((row, _)) = rows.next()? else { break };
                batch.delete(Column::Audit, row);
            }
            drop(rows);
            if batch.is_empty() {
                return Ok(());
            }
            self.writer.write_batch(batch, Flush::Later)?;
        }
    }

    /// Finds out at a start whether the end is missing.
    fn compare_with_head(&self, size: u64) {
        let signed = lock(&self.head).as_ref().map_or(0, |head| head.head.size);
        if size < signed {
            self.tampered.store(true, Ordering::Relaxed);
            tracing::error!(size, signed, "the audit log is shorter than the head that was signed");
        }
    }

    fn note_damage(&self, error: &ArchiveError) {
        if matches!(error, ArchiveError::Tampered(_)) {
            self.tampered.store(true, Ordering::Relaxed);
            tracing::error!(%error, "the audit log was tampered with; run `kvs audit verify`");
        }
    }

    fn is_tampered(&self) -> bool {
        self.tampered.load(Ordering::Relaxed)
    }

    fn drop_one(&self, error: &SubmitError) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%error, "an entry of the audit log could not be written");
    }
}

/// Reads rows one after another.
fn row_of(store: &dyn Read) -> impl FnMut(u64) -> Result<Vec<u8>, StoreError> {
    move |sequence| {
        let row = store.get(Column::Audit, &layout::entry(sequence))?;
        row.ok_or_else(|| StoreError::Damaged(format!("entry {sequence} of audit is missing")))
    }
}

fn head_at(node: &Node, edge: &Edge) -> Head {
    Head {
        cluster: cluster_of(node),
        node: node.identity().node,
        size: edge.size(),
        root: edge.frontier.root(),
        time: node.now(),
    }
}

pub(super) fn cluster_of(node: &Node) -> Uuid {
    let joined = node.cluster().map(|cluster| cluster.id);
    joined.or(node.identity().cluster).unwrap_or_default()
}

/// The head that was signed last.
pub(super) fn last_head(store: &dyn Read) -> Result<Option<SignedHead>, StoreError> {
    let Some(bytes) = store.get(Column::Local, layout::HEAD)? else { return Ok(None) };
    let named = |error| StoreError::Damaged(format!("row audit/head of local: {error}"));
    serde_json::from_slice(&bytes).map(Some).map_err(named)
}

/// What a store has of other nodes' logs.
pub(super) fn seen(store: &dyn Read) -> Result<BTreeMap<NodeId, Seen>, StoreError> {
    let mut end = layout::PEER.to_vec();
    // `0` follows `/`.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    let (mut rows, mut seen) = (store.cursor(Column::Local, layout::PEER, &end), BTreeMap::new());
    while let Some((row, value)) = rows.next()? {
        let node = row[layout::PEER.len()..].try_into().map(NodeId::from_bytes);
        let known = serde_json::from_slice(value);
        let (Ok(node), Ok(known)) = (node, known) else {
            let row = row.escape_ascii();
            return Err(StoreError::Damaged(format!("row {row} of local: malformed")));
        };
        seen.insert(node, known);
    }
    Ok(seen)
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Structs of numbers, strings and lists always serialize.
    serde_json::to_vec(value).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is done under it that could panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Signs and archives as long as the node runs.
pub async fn run(node: Arc<Node>) {
    if !node.audit().is_on() {
        return;
    }
    let mut ticks = tokio::time::interval(SIGN_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while node.stopping().run_until_cancelled(ticks.tick()).await.is_some() {
        let keeping = node.clone();
        let kept = tokio::task::spawn_blocking(move || keeping.audit().keep(&keeping)).await;
        match kept {
            Ok(Err(AuditError::Writer(SubmitError::Stopping))) => return,
            Ok(Err(error)) => tracing::error!(%error, "the audit log is not kept as it should be"),
            // A panic was said where it happened.
            Ok(Ok(())) | Err(_) => {}
        }
    }
}
