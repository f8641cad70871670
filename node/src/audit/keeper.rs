//! The log of a running node: what is recorded, when heads are signed, when entries are archived.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kvs_config::Settings;
use kvs_core::audit::{Event, SignedHead, Subject};
use kvs_core::{NodeId, TokenId, UnixMillis, UserId};
use thiserror::Error;
use tokio::time::MissedTickBehavior;

use super::archive::ArchiveError;
use super::layout::{self, Edge};
use super::start::is_broken;
use super::stored::{json, last_head, seen};
use super::upkeep::{On, lock};
use super::{NodeKey, Notice, PublicKey, Seen};
use crate::node::Node;
use crate::store::{Batch, Column, Flush, Store, StoreError};
use crate::writer::{SubmitError, Writer};

/// How often a head is signed while there is something new: what a node could rewrite unseen is what
/// it wrote since its peers last asked.
const SIGN_EVERY: Duration = Duration::from_secs(1);
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

/// How many members' logs are known, by what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerFigures {
    /// They go on from what was seen of them.
    pub consistent: u64,
    /// They were rewritten.
    pub rewritten: u64,
    /// They are not shown any more.
    pub silent: u64,
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
        let head = last_head(store)?;
        let on = On {
            key: NodeKey::open(store)?,
            writer: writer.clone(),
            data_dir: settings.data_dir.clone(),
            segment: settings.audit_segment.into(),
            tampered: AtomicBool::new(is_broken(store, &settings.data_dir, head.as_ref())?),
            head: Mutex::new(head),
            peers: Mutex::new(seen(store)?),
            silences: Mutex::default(),
            keeping: Mutex::default(),
            failures: Mutex::default(),
            uses: Mutex::default(),
            denials: Mutex::default(),
            dropped: AtomicU64::new(0),
            pause: AtomicU32::new(0),
            archived: AtomicU64::new(Edge::read(store, layout::BASE)?.size()),
        };
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
            on.drop_all(1, &error);
        }
    }

    /// Notes that somebody at this address showed credentials that were no good, or none where some
    /// were needed. All of an address and a second are one entry, so that nobody fills a disk by
    /// failing.
    pub fn login_failed(&self, address: IpAddr) {
        if let Some(on) = &self.on {
            lock(&on.failures).add(address);
        }
    }

    /// Records that a named caller at this address was denied something. After some of one caller in a
    /// minute, or of all in a second, the rest are counted with the failures of the address, so that
    /// nobody fills a disk by asking.
    pub fn denied(&self, notice: Notice, address: IpAddr, now: UnixMillis) {
        let Some(on) = &self.on else { return };
        if lock(&on.denials).has_room(notice.subject, now) {
            self.record(notice);
        } else {
            self.login_failed(address);
        }
    }

    /// Notes that a token was used that permits what is for administrators: one entry for each minute
    /// in which it is.
    pub fn token_used(&self, token: TokenId, user: UserId, now: UnixMillis) {
        if let Some(on) = &self.on
            && lock(&on.uses).is_first(token, user, now)
        {
            self.record(Notice::done(Event::TokenUse(token), Subject::User(user)));
        }
    }

    /// Records what happened, and waits until that is as durable as a write.
    ///
    /// # Errors
    ///
    /// It was not recorded.
    pub async fn record_durably(&self, notice: Notice) -> Result<(), SubmitError> {
        let Some(on) = &self.on else { return Ok(()) };
        let answer =
            on.writer.record(vec![notice], true).inspect_err(|error| on.drop_all(1, error))?;
        // What the store did not take the writer counts.
        answer.await.map_err(|_gone| SubmitError::Stopping)??;
        Ok(())
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
        Some(AuditFigures {
            signed: lock(&on.head).as_ref().map_or(0, |head| head.head.size),
            archived: on.archived.load(Ordering::Relaxed),
            dropped: on.dropped.load(Ordering::Relaxed)
                + on.writer.figures().unrecorded.load(Ordering::Relaxed),
            tampered: on.tampered.load(Ordering::Relaxed),
        })
    }

    /// What is known of the logs of the nodes that are members, in figures. What was ever known of
    /// others stays as evidence, and nobody needs to act on it.
    pub fn peer_figures(&self, members: &BTreeSet<NodeId>) -> PeerFigures {
        self.on.as_ref().map(|on| on.peer_figures(members)).unwrap_or_default()
    }

    /// Who does not show their log any more, and since when.
    pub fn silent(&self) -> BTreeMap<NodeId, UnixMillis> {
        self.on.as_ref().map(|on| lock(&on.silences).all()).unwrap_or_default()
    }

    /// Notes which of the nodes that were asked for their log showed it. Returns who does not any more.
    pub(super) fn note_shown(
        &self,
        asked: &BTreeMap<NodeId, bool>,
        now: UnixMillis,
    ) -> Vec<NodeId> {
        let on = self.on.as_ref();
        on.map(|on| lock(&on.silences).note(asked, now)).unwrap_or_default()
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
        on.record_failures();
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

    /// Records what was only counted so far.
    fn finish(&self) {
        if let Some(on) = &self.on {
            on.record_failures();
        }
    }
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
    node.audit().finish();
}
