//! What keeps a log in order: heads that are signed, entries that are archived, failures that are
//! noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kvs_core::NodeId;
use kvs_core::audit::{Head, SignedHead, Tampered};
use uuid::Uuid;

use super::archive::{ArchiveError, Archives, Part};
use super::denials::Denials;
use super::failures::Failures;
use super::keeper::{AuditError, PeerFigures};
use super::layout::{self, Edge};
use super::silence::Silences;
use super::uses::Uses;
use super::{NodeKey, Seen};
use crate::node::Node;
use crate::store::{Batch, Column, Flush, Read, Store, StoreError, sweep};
use crate::writer::{SubmitError, Writer};

/// How many times nothing is archived after that failed, at one time a second: whatever is the matter,
/// each try reads and writes a whole archive.
const PAUSE: u32 = 60;

/// What a log has that is on.
#[derive(Debug)]
pub(super) struct On {
    pub(super) key: NodeKey,
    pub(super) writer: Writer,
    pub(super) data_dir: PathBuf,
    /// Entries of an archive.
    pub(super) segment: u64,
    /// The head that is on disk.
    pub(super) head: Mutex<Option<SignedHead>>,
    pub(super) peers: Mutex<BTreeMap<NodeId, Seen>>,
    pub(super) silences: Mutex<Silences>,
    /// Held by whoever signs and archives.
    pub(super) keeping: Mutex<()>,
    /// Logins that failed and are not written down yet.
    pub(super) failures: Mutex<Failures>,
    pub(super) uses: Mutex<Uses>,
    pub(super) denials: Mutex<Denials>,
    pub(super) dropped: AtomicU64,
    pub(super) archived: AtomicU64,
    /// How many times nothing is archived yet, since it failed.
    pub(super) pause: AtomicU32,
    /// Whether the log is known to be no more as it was written.
    pub(super) tampered: AtomicBool,
}

impl On {
    /// The head of the log as it is now, unless it is signed already.
    pub(super) fn next_head(
        &self,
        node: &Node,
        store: &dyn Store,
    ) -> Result<Option<SignedHead>, StoreError> {
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

    /// What is known of the logs of these nodes, in figures.
    pub(super) fn peer_figures(&self, members: &BTreeSet<NodeId>) -> PeerFigures {
        let silent = lock(&self.silences).all();
        let mut figures = PeerFigures::default();
        for (node, seen) in lock(&self.peers).iter().filter(|(node, _)| members.contains(node)) {
            *match (&seen.alarm, silent.contains_key(node)) {
                (Some(_alarm), _) => &mut figures.rewritten,
                (None, true) => &mut figures.silent,
                (None, false) => &mut figures.consistent,
            } += 1;
        }
        figures
    }

    /// Archives the oldest entries once there are twice as many as an archive has.
    pub(super) fn archive(&self, node: &Node, store: &dyn Store) -> Result<(), AuditError> {
        let base = Edge::read(store, layout::BASE)?;
        let size = Edge::read(store, layout::END)?.size();
        let is_due = size.saturating_sub(base.size()) >= 2 * self.segment;
        if !is_due || self.is_tampered() || self.pauses() {
            return Ok(());
        }
        let (node_id, count) = (node.identity().node, self.segment);
        let reserve = node.settings().disk_reserve.as_len() as u64;
        let part = Part { node: node_id, begin: &base, count, checked: true, reserve };
        let seal = |edge: &Edge| Some((self.key.sign(head_at(node, edge)), *self.key.public()));
        let written = Archives::of(&self.data_dir).write(&part, row_of(store), seal);
        let (path, edge) = written.inspect_err(|error| self.note_failure(error))?;
        tracing::info!(path = %path.display(), "entries of the audit log were archived");
        let mut batch = Batch::default();
        batch.put(Column::Local, layout::BASE, &edge.to_bytes());
        self.writer.write_batch(batch, Flush::Synced)?;
        self.archived.store(edge.size(), Ordering::Relaxed);
        let (start, end) = (layout::entry(0), layout::entry(edge.size()));
        sweep(store, Column::Audit, (&start, &end), |batch| {
            Ok(self.writer.write_batch(batch, Flush::Later)?)
        })
    }

    /// Whether an archive that failed was so lately that none is tried. Each time it is asked counts.
    fn pauses(&self) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        self.pause.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    fn note_failure(&self, error: &ArchiveError) {
        self.pause.store(PAUSE, Ordering::Relaxed);
        if matches!(error, ArchiveError::Tampered(_)) {
            self.tampered.store(true, Ordering::Relaxed);
            tracing::error!(%error, "the audit log was tampered with; run `kvs audit verify`");
        }
    }

    pub(super) fn is_tampered(&self) -> bool {
        self.tampered.load(Ordering::Relaxed)
    }

    /// Records the logins that failed since the last time.
    pub(super) fn record_failures(&self) {
        let notices = lock(&self.failures).take();
        if notices.is_empty() {
            return;
        }
        let count = notices.len();
        if let Err(error) = self.writer.record(notices, false) {
            self.drop_all(count, &error);
        }
    }

    /// Counts what could not be recorded.
    pub(super) fn drop_all(&self, count: usize, error: &SubmitError) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
        tracing::error!(%error, count, "entries of the audit log could not be written");
    }
}

/// Reads rows one after another.
fn row_of(store: &dyn Read) -> impl FnMut(u64) -> Result<Vec<u8>, ArchiveError> {
    move |sequence| {
        let row = store.get(Column::Audit, &layout::entry(sequence))?;
        Ok(row.ok_or(Tampered::Missing(sequence))?)
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

/// What is behind a lock.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is done under it that could panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
