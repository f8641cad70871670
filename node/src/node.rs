//! The node: what stands between the HTTP API and the store.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use kvs_config::Settings;
use kvs_core::access::Action;
use kvs_core::audit::Subject;
use kvs_core::engine::{self, ClockAhead, Life};
use kvs_core::token::Lifetimes;
use kvs_core::{Format, Head, Key, RecordId, Stamp, UnixMillis, Version};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::{self, Accounts};
use crate::audit::{self, Appender, Audit};
use crate::backup::shelf::ShelfError;
use crate::backup::{self, Backups};
use crate::caller::Caller;
use crate::cluster::{self, Cluster, ClusterError};
use crate::digest::{self, Digest};
use crate::duty::{Departure, Duty, ReadOnlyByConfiguration};
use crate::identities::Identities;
use crate::local::{self, Identity, Incarnations, LocalState};
use crate::rates::Rates;
use crate::records::{self, Facts, MetaKeys, Position, View};
use crate::store::{
    Cached, Column, DataLock, Flush, OpenError, RocksOptions, RocksStore, Store, StoreError,
};
use crate::time::{WallClock, monotonic};
use crate::writer::{
    self, Applier, Durability, Retention, ScrubPosition, Scrubbed, SubmitError, Tail, Write,
    WriteResult, Writer, WriterParts, WriterThread,
};

/// How often a bit of the index is checked: 16 leaves and 64 rows, so that a million keys take half an
/// hour and the writer loses a three-hundredth of its time.
const SCRUB_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whether the cluster's secret has come.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a node that stops waits for each of its parts, beside `drain_timeout` for its clients.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// How often the dead are looked for.
const COLLECT_EVERY: Duration = Duration::from_secs(10);

/// How long a node that stops tries to send what it accepted to another one.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// Where a node is in its life, as `/health` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It serves.
    Normal,
    /// It has not caught up with its cluster yet.
    Syncing,
    /// Client writes are refused.
    ReadOnly,
}

impl Mode {
    /// The mode as the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Syncing => "syncing",
            Self::ReadOnly => "read_only",
        }
    }
}

/// Why a node did not start. Nothing was changed.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system refused a thread.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// It cannot be a member of a cluster as it is told.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Its backups cannot go where they are to.
    #[error(transparent)]
    Backups(#[from] ShelfError),
}

/// Why a reading failed.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread that read it panicked or was taken away.
    #[error("a reading was abandoned")]
    Abandoned(#[from] JoinError),
}

/// Why clients' writes are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unwritable {
    /// Others would refuse what is stamped here.
    #[error(transparent)]
    Clock(#[from] ClockAhead),
    /// Another process runs under this node's id.
    #[error("another process runs under this node's id: stop one, and `kvs reset-identity` it")]
    Twin,
}

/// Why a node's mode is not changed.
#[derive(Debug, Error)]
pub enum SetModeError {
    /// The settings say otherwise.
    #[error(transparent)]
    Configured(#[from] ReadOnlyByConfiguration),
    /// It could not be kept.
    #[error(transparent)]
    Writer(#[from] SubmitError),
}

/// A running node. All of its parts are shared; it stops by [`Running::stop`].
#[derive(Debug)]
pub struct Node {
    store: Arc<dyn Store>,
    writer: Writer,
    digest: Arc<Digest>,
    identity: Identity,
    incarnations: Incarnations,
    settings: Settings,
    clock: Arc<dyn WallClock>,
    /// All deaths before this stamp may have been forgotten.
    horizon: AtomicU64,
    /// Users, groups and tokens.
    accounts: Arc<Accounts>,
    /// Which keys may have metadata: where none has, nobody need look for it.
    metadata: Arc<MetaKeys>,
    /// Who outside is believed.
    identities: Identities,
    /// What each caller may ask of it.
    rates: Rates,
    /// What people told it to do.
    duty: Duty,
    started: UnixMillis,
    /// The same moment, for measuring how long it runs.
    began: Instant,
    tail: Arc<Tail>,
    newest_format: Format,
    /// What makes it a member of a cluster; not there while it is alone, or waits for the secret.
    cluster: OnceLock<Cluster>,
    /// Whether it is to be a member of one.
    clustered: bool,
    /// Copies of the store, elsewhere.
    backups: Backups,
    /// The tamper-evident log.
    audit: Audit,
    /// Cancelled when the node must begin anew, with what its store is then.
    start_over: CancellationToken,
    closing: CancellationToken,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

/// A started node and what must be ended with it.
#[derive(Debug)]
pub struct Running {
    /// The node.
    pub node: Arc<Node>,
    writer: WriterThread,
    data_dir: PathBuf,
    _lock: DataLock,
}

impl Running {
    /// Opens the store and starts the writer. Call within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// The store cannot be opened, or a thread not be had.
    pub fn start(settings: Settings, clock: Arc<dyn WallClock>) -> Result<Self, StartError> {
        let client = SocketAddr::new(settings.bind_address, settings.port);
        Self::start_at(settings, clock, client, Format::NEWEST)
    }

    /// The same for a node that answers clients at `client`, and knows no later format of versions
    /// than `newest`.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_at(
        settings: Settings,
        clock: Arc<dyn WallClock>,
        client: SocketAddr,
        newest: Format,
    ) -> Result<Self, StartError> {
        let lock = DataLock::take(&settings.data_dir).map_err(OpenError::from)?;
        backup::check_not_broken_off(&settings.data_dir)?;
        let store = Arc::new(RocksStore::open(&settings.data_dir, &rocks_options(&settings))?);
        let backups = Backups::new(&settings, Some(store.clone()))?;
        Self::start_on(store, backups, lock, settings, clock, client, newest)
    }

    /// Starts on a store that is open, and whose directory is held.
    fn start_on(
        store: Arc<dyn Store>,
        backups: Backups,
        lock: DataLock,
        settings: Settings,
        clock: Arc<dyn WallClock>,
        client: SocketAddr,
        newest: Format,
    ) -> Result<Self, StartError> {
        let data_dir = settings.data_dir.clone();
        local::empty_if_wanted(&*store, &data_dir, newest)?;
        let depth = settings.digest_leaves.ilog2() / 4;
        let digest = Arc::new(Digest::open(&data_dir, depth, store.sequence()));
        let state = local::open_up_to(&*store, &data_dir, clock.now(), newest)?;
        digest::remove_saved(&data_dir);
        let plan = cluster::plan(&settings, &*store, &state.identity)?;
        let tail = Arc::new(Tail::after(state.next_sequence - 1));
        let failed = |error: StoreError| OpenError::Failed {
            path: data_dir.clone(),
            reason: error.to_string(),
        };
        let accounts = Arc::new(accounts(&settings, &*store, clock.now()).map_err(failed)?);
        let metadata = Arc::new(MetaKeys::load(&*store).map_err(failed)?);
        rebuild(&store, &digest, &state).map_err(StartError::Thread)?;
        let (writer, thread) = writer::start(WriterParts {
            store: store.clone(),
            digest: digest.clone(),
            tail: tail.clone(),
            accounts: accounts.clone(),
            metadata: metadata.clone(),
            applier: applier(&state, &settings, &*store).map_err(failed)?,
            clock: clock.clone(),
            durability: durability(&settings),
            queue_bytes: settings.queue_size.as_len(),
        })
        .map_err(StartError::Thread)?;
        let duty = Duty::new(local::read_only(&*store).map_err(failed)?);
        let audit = Audit::open(&settings, &*store, &writer).map_err(failed)?;
        let node = Arc::new(Node {
            store,
            writer,
            digest,
            identity: state.identity,
            incarnations: state.incarnations,
            duty,
            identities: Identities::new(&settings, &clock),
            rates: Rates::new(&settings, clock.clone()),
            started: clock.now(),
            settings,
            clock,
            began: monotonic(),
            tail,
            newest_format: newest,
            cluster: OnceLock::new(),
            clustered: plan.is_some(),
            backups,
            audit,
            start_over: CancellationToken::new(),
            horizon: AtomicU64::new(state.horizon.bits()),
            accounts,
            metadata,
            closing: CancellationToken::new(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        node.spawn(scrub(node.clone()));
        if node.settings.auth_enabled {
            if plan.is_none() {
                node.accounts.found(&cluster::secret_of_its_own(&node.settings)?);
            }
            node.spawn(accounts::upkeep(node.clone()));
        }
        node.spawn(backup::schedule(node.clone()));
        node.spawn(audit::run(node.clone()));
        match plan {
            Some(plan) => cluster::start(&node, plan, client)?,
            // A member that stands apart for a while must not forget what the others remember.
            None if node.identity.cluster.is_some() => {}
            None => drop(node.spawn(collect_the_dead(node.clone()))),
        }
        Ok(Self { node, writer: thread, data_dir, _lock: lock })
    }

    /// Ends all tasks, finishes what was accepted, and closes the store. Requests must have ended.
    ///
    /// # Errors
    ///
    /// The store cannot be closed cleanly: the next start counts as one after a crash, and loses
    /// nothing that was acknowledged.
    pub async fn stop(self) -> Result<(), StoreError> {
        if let Some(cluster) = self.node.cluster.get() {
            if !cluster.is_alone() {
                cluster.flush(&self.node, FLUSH_WITHIN).await;
            }
            cluster.say_goodbye().await;
        }
        self.node.stopping.cancel();
        self.node.tasks.close();
        ends("tasks", self.node.tasks.wait()).await;
        if let Some(cluster) = self.node.cluster.get() {
            ends("replication", cluster.end()).await;
        }
        let Self { node, writer, data_dir, _lock } = self;
        let stopped = tokio::task::spawn_blocking(move || close(&node, writer, &data_dir));
        stopped.await.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
    }
}

/// Waits until something has ended, but not for ever: what hangs must not keep the store from being
/// closed, after which nothing that is left can write.
async fn ends(what: &'static str, ending: impl Future<Output = ()>) {
    if tokio::time::timeout(ENDS_WITHIN, ending).await.is_err() {
        tracing::error!(what, "does not end within {ENDS_WITHIN:?}: stopping without it");
    }
}

fn close(node: &Node, writer: WriterThread, data_dir: &std::path::Path) -> Result<(), StoreError> {
    let applier =
        writer.stop().map_err(|_panic| StoreError::Failed("the writer thread panicked".into()))?;
    node.audit.close(node)?;
    local::close(&*node.store, applier.last_sequence() + 1, applier.last_stamp())?;
    if let Err(error) = node.digest.save(data_dir, node.store.sequence()) {
        tracing::warn!(%error, "the digest tree was not saved; the next start rebuilds it");
    }
    Ok(())
}

/// What turns commands into rows, and into entries of the tamper-evident log if there is to be one.
fn applier(
    state: &LocalState,
    settings: &Settings,
    store: &dyn Store,
) -> Result<Applier, StoreError> {
    let applier = Applier::new(state, retention(settings));
    if !settings.tamper_logging_enabled {
        return Ok(applier);
    }
    Ok(applier.audited(Appender::open(store)?))
}

fn rocks_options(settings: &Settings) -> RocksOptions {
    RocksOptions {
        block_cache: settings.block_cache.as_len(),
        write_buffer: settings.write_buffer.as_len(),
        disk_reserve: settings.disk_reserve.as_len() as u64,
    }
}

fn retention(settings: &Settings) -> Retention {
    let count = if settings.revision_history_enabled { settings.revisions } else { 0 };
    let max_age = settings.revision_max_age.map(Into::into);
    Retention { count: count as usize, max_age }
}

fn durability(settings: &Settings) -> Durability {
    match settings.durability {
        kvs_config::Durability::Sync => Durability::Sync,
        kvs_config::Durability::Async => Durability::Async(settings.flush_interval.into()),
    }
}

/// What is known of accounts; a node that asks nobody who they are need not know any.
fn accounts(
    settings: &Settings,
    store: &dyn Store,
    now: UnixMillis,
) -> Result<Accounts, StoreError> {
    if !settings.auth_enabled {
        return Ok(Accounts::none());
    }
    let lifetimes =
        Lifetimes { usual: settings.token_ttl.into(), most: settings.token_max_ttl.into() };
    Accounts::load(store, lifetimes, settings.max_clock_drift.into(), now)
}

/// Fills a digest tree that was not saved, from a snapshot taken before the first write.
fn rebuild(store: &Arc<dyn Store>, digest: &Arc<Digest>, state: &LocalState) -> io::Result<()> {
    if digest.is_ready() {
        return Ok(());
    }
    let (store, digest, key) = (store.clone(), digest.clone(), state.identity.digest_key.clone());
    let (taken, snapshot_taken) = std::sync::mpsc::channel();
    thread::Builder::new().name("kvs-digest".into()).spawn(move || {
        let snapshot = store.snapshot();
        // The starter waits for this; if it is gone, the node did not start.
        let _ = taken.send(());
        match digest.rebuild(&*snapshot, &key) {
            Ok(()) => tracing::info!("the digest tree is rebuilt"),
            Err(error) => tracing::error!(%error, "the digest tree cannot be rebuilt"),
        }
    })?;
    snapshot_taken.recv().map_err(io::Error::other)
}

/// Checks, slowly and for ever, that the index says what is stored: comparing nodes trust it.
async fn scrub(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(SCRUB_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut at = ScrubPosition::default();
    while node.stopping.run_until_cancelled(ticks.tick()).await.is_some() {
        match node.writer.scrub(at.clone()).await {
            Ok((found, next)) => {
                if found != Scrubbed::default() {
                    let Scrubbed { rows, leaves } = found;
                    tracing::error!(rows, leaves, "the index was wrong, and is mended");
                }
                at = next;
            }
            Err(SubmitError::Stopping) => return,
            Err(error) => tracing::error!(%error, "the index cannot be checked"),
        }
    }
}

/// Lets a node that stands alone forget the dead, once it has remembered them for as long as it was
/// told to: what no other node can bring back needs no longer.
async fn collect_the_dead(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(COLLECT_EVERY);
    loop {
        tokio::select! {
            () = node.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let horizon = node.now().before(node.settings.tombstone_retention.into());
        let horizon = Stamp::at(horizon);
        // First: a reader whose position is behind must not be told that it missed nothing.
        node.horizon.fetch_max(horizon.bits(), Ordering::AcqRel);
        let collected = node.stopping.run_until_cancelled(node.writer.collect(horizon)).await;
        match collected.unwrap_or(Ok(0)) {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "dead records removed"),
            Err(error) => tracing::warn!(%error, "dead records were not removed"),
        }
    }
}

impl Node {
    /// Wall time.
    pub fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// When this process opened the store.
    pub const fn started(&self) -> UnixMillis {
        self.started
    }

    /// The settings it runs with.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who this node is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether clients may write.
    pub fn mode(&self) -> Mode {
        if !self.has_caught_up() {
            return Mode::Syncing;
        }
        if self.is_read_only() { Mode::ReadOnly } else { Mode::Normal }
    }

    /// Whether it refuses clients' writes whatever else is so.
    pub fn is_read_only(&self) -> bool {
        self.settings.read_only || self.duty.is_read_only() || self.duty.departure().is_some()
    }

    /// Who outside is believed.
    pub const fn identities(&self) -> &Identities {
        &self.identities
    }

    /// What each caller may ask of it.
    pub const fn rates(&self) -> &Rates {
        &self.rates
    }

    /// What people told it to do.
    pub const fn duty(&self) -> &Duty {
        &self.duty
    }

    /// Refuses clients' writes from here on, or takes them again and ends a drain, after a restart
    /// too.
    ///
    /// # Errors
    ///
    /// The settings say otherwise; or the store failed, and nothing changed.
    pub async fn set_read_only(self: &Arc<Self>, read_only: bool) -> Result<(), SetModeError> {
        if self.settings.read_only && !read_only {
            return Err(ReadOnlyByConfiguration.into());
        }
        let node = self.clone();
        let row = local::read_only_row(read_only);
        let keeping = tokio::task::spawn_blocking(move || {
            node.writer.replicate(Vec::new(), vec![row], Flush::Synced).map(drop)
        });
        keeping.await.unwrap_or(Err(SubmitError::Stopping))?;
        self.duty.set_read_only(read_only);
        if !read_only {
            self.duty.set_draining(false);
        }
        Ok(())
    }

    /// Takes no more writes of clients: all that it has is to be elsewhere before it goes.
    pub(crate) fn begin_to_leave(&self) {
        self.duty.depart(Departure::Leaving);
        self.writer.close_to_clients();
    }

    /// Knows that it is no member any more.
    pub(crate) fn has_left(&self) {
        self.begin_to_leave();
        self.duty.depart(Departure::Left);
    }

    /// Its display name: the one it was given, or the machine's.
    pub fn name(&self) -> String {
        let machine = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.settings.node_id.clone().unwrap_or_else(machine)
    }

    /// Where the node is in its life, if it is to be a member of a cluster.
    pub fn life(&self) -> Option<Life> {
        let unborn = self.clustered.then_some(Life::Unborn);
        self.cluster.get().map(|cluster| cluster.standing().life).or(unborn)
    }

    /// Waits until it has caught up with its cluster; a node that stands alone always has.
    pub async fn catch_up(&self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        // The secret may still be to come, and with it what there is to watch.
        while self.cluster.get().is_none() && self.clustered {
            ticks.tick().await;
        }
        if let Some(cluster) = self.cluster.get() {
            // It ends with the node, and then there is nothing to wait for.
            let _ = cluster.watch().wait_for(|standing| standing.life == Life::Serving).await;
        }
    }

    /// Whether it knows what the others know; a node that stands alone always does.
    pub fn has_caught_up(&self) -> bool {
        self.life().is_none_or(|life| life == Life::Serving)
    }

    /// Why a client's write is not taken now, if it is not: what would be accepted here must be
    /// accepted by the others.
    ///
    /// # Errors
    ///
    /// The reason.
    pub fn may_write(&self) -> Result<(), Unwritable> {
        let Some(cluster) = self.cluster.get() else { return Ok(()) };
        cluster.standing().check_clock(self.now(), self.running())?;
        self.check_stamps()?;
        if cluster.has_twin() { Err(Unwritable::Twin) } else { Ok(()) }
    }

    /// Whether what is stamped next is taken by the others. Stamps never fall: after the wall clock
    /// was ahead, they are until it has come that far.
    fn check_stamps(&self) -> Result<(), ClockAhead> {
        let last = Stamp::from_bits(self.writer.figures().last_stamp.load(Ordering::Acquire));
        let ahead = Duration::from_millis(last.millis().0.saturating_sub(self.now().0));
        let limit = self.settings.max_clock_drift.into();
        if ahead > limit { Err(ClockAhead { ahead, limit }) } else { Ok(()) }
    }

    /// What makes it a member of a cluster, once it is one.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.get()
    }

    /// Makes it a member; says whether it was none before.
    pub(crate) fn set_cluster(&self, cluster: Cluster) -> bool {
        self.cluster.set(cluster).is_ok()
    }

    /// Its tamper-evident log.
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Its backups.
    pub const fn backups(&self) -> &Backups {
        &self.backups
    }

    /// Cancelled when the node must begin anew, with what its store is then.
    pub const fn start_over(&self) -> &CancellationToken {
        &self.start_over
    }

    /// How long it has been running, which no clock setting moves.
    pub fn running(&self) -> Duration {
        self.began.elapsed()
    }

    /// The newest versions that it accepted.
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The newest format of versions that it knows.
    pub const fn newest_format(&self) -> Format {
        self.newest_format
    }

    /// The name of positions in its log.
    pub const fn log_incarnation(&self) -> u64 {
        self.incarnations.current
    }

    /// Where a node goes on that followed the log up to `cursor`. Beyond the last commit lies
    /// nothing: who stands there followed a store that went on where an older copy of it, this one,
    /// did not.
    pub fn log_position(&self, cursor: engine::Cursor) -> u64 {
        let resumed = self.incarnations.resume(cursor.incarnation, cursor.position).unwrap_or(0);
        resumed.min(*self.writer.committed().borrow())
    }

    /// Lets readers know that what died before `horizon` may be forgotten.
    pub(crate) fn forget_before(&self, horizon: Stamp) {
        self.horizon.fetch_max(horizon.bits(), Ordering::AcqRel);
    }

    /// The clock that it goes by.
    pub(crate) fn wall_clock(&self) -> Arc<dyn WallClock> {
        self.clock.clone()
    }

    pub(crate) fn shared_store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    pub(crate) fn shared_digest(&self) -> Arc<Digest> {
        self.digest.clone()
    }

    pub(crate) const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// As [`Self::spawn`], from a thread that is not the runtime's.
    pub(crate) fn spawn_on<T: Send + 'static>(
        &self,
        runtime: &Handle,
        task: impl Future<Output = T> + Send + 'static,
    ) {
        drop(self.tasks.spawn_on(task, runtime));
    }

    /// The digest tree.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The writer, for its figures and to wait for commits.
    pub const fn writer(&self) -> &Writer {
        &self.writer
    }

    /// The store, for its figures.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Cancelled when the node still serves and is about to stop: its clients are asked to go
    /// elsewhere.
    pub const fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Cancelled when the node begins to stop: streams end then.
    pub const fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Runs a task that the node waits for when it stops; it must end once [`Self::stopping`] is,
    /// or after a bounded time.
    pub fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tasks.spawn(task)
    }

    /// Users, groups and tokens.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Whether somebody's credentials can be judged here: not before this node knows what its cluster
    /// knows, unless it is told to serve while it catches up.
    pub fn knows_accounts(&self) -> bool {
        let catches_up = self.settings.serve_while_syncing && self.life() == Some(Life::CatchingUp);
        self.accounts.is_ready() && self.has_caught_up() || catches_up
    }

    /// The newest version of a value, dead or alive, if the caller may know of it.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub async fn newest(
        self: &Arc<Self>,
        caller: &Caller,
        key: &Key,
    ) -> Result<Option<Version>, ReadError> {
        if key.is_system() {
            return Ok(None);
        }
        let version = self.version(&RecordId::value(key.clone())).await?;
        if caller.is_unlimited() {
            return Ok(version);
        }
        let facts = self.facts(key, version.as_ref().map(Version::head)).await?;
        let decision = caller.decide(Action::Read, &facts.to_read(key), self.now());
        Ok(version.filter(|_| decision.is_allowed()))
    }

    /// What decides about `key`, whose value's newest version is `head`.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub async fn facts(
        self: &Arc<Self>,
        key: &Key,
        head: Option<Head>,
    ) -> Result<Facts, ReadError> {
        let mut facts = Facts::of(head);
        let now = self.now();
        let alive = |version: &Version| version.head().absence(now).is_none();
        for near in self.metadata.near(key) {
            let version = self.version(&RecordId::meta(near.clone())).await?;
            let Some(version) = version.filter(alive) else { continue };
            let value = self.version(&RecordId::value(near.clone())).await?.filter(alive);
            let value = value.map(|version| version.head());
            if let Some(found) = records::governs(&near, version, value.as_ref())
                && facts.add(key, found)
            {
                break;
            }
        }
        Ok(facts)
    }

    /// The newest version of a record, dead or alive, whoever asks. Waits for the disk only where it
    /// must, and then elsewhere.
    ///
    /// # Errors
    ///
    /// The row cannot be read or is damaged.
    pub(crate) async fn version(
        self: &Arc<Self>,
        record: &RecordId,
    ) -> Result<Option<Version>, ReadError> {
        let row = record.encode();
        let value = match self.store.get_cached(Column::Data, &row)? {
            Cached::Known(value) => value,
            Cached::OnDisk => {
                let (node, row) = (self.clone(), row.clone());
                tokio::task::spawn_blocking(move || node.store.get(Column::Data, &row)).await??
            }
        };
        let Some(value) = value else { return Ok(None) };
        Ok(Some(records::decode(&row, value)?.1))
    }

    /// Reads what may take long, on a thread that may wait, from one snapshot.
    ///
    /// # Errors
    ///
    /// A row cannot be read or is damaged.
    pub async fn view<T: Send + 'static>(
        self: &Arc<Self>,
        caller: &Caller,
        read: impl FnOnce(&View<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (node, caller) = (self.clone(), caller.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let snapshot = node.store.snapshot();
            let scan_keys = node.settings.limits.scan_keys;
            let (metadata, now) = (&*node.metadata, node.now());
            let view = View { read: &*snapshot, caller: &caller, metadata, now, scan_keys };
            read(&view)
        });
        Ok(reading.await??)
    }

    /// Has writes carried out as one group or part of one, and answers when they are as durable as
    /// configured. From the first poll on they happen, whether or not anybody waits for them.
    ///
    /// # Errors
    ///
    /// None of them was carried out, or the store failed.
    pub async fn write(&self, writes: Vec<Write>) -> Result<Vec<WriteResult>, SubmitError> {
        self.write_for(Subject::Node, writes).await
    }

    /// The same for somebody whom the tamper-evident log names; [`Self::write`] is for the node itself.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub async fn write_for(
        &self,
        author: Subject,
        writes: Vec<Write>,
    ) -> Result<Vec<WriteResult>, SubmitError> {
        self.writer.submit_for(author, writes).await
    }

    /// How long a value written under `key` lives if its write does not say.
    ///
    /// # Errors
    ///
    /// The metadata cannot be read.
    pub async fn default_ttl(self: &Arc<Self>, key: &Key) -> Result<Option<Duration>, ReadError> {
        let fallback = self.settings.default_ttl.map(Into::into);
        if self.metadata.is_empty() {
            return Ok(fallback);
        }
        let facts = self.facts(key, None).await?;
        let governing = facts.own.or(facts.above);
        Ok(governing.and_then(|found| found.meta.ttl).or(fallback))
    }

    /// Revisions older than this are no longer shown.
    pub fn oldest_revision(&self) -> UnixMillis {
        let age = self.settings.revision_max_age;
        age.map_or(UnixMillis(0), |age| self.now().before(age.into()))
    }

    /// Where a reader of changes stands that has seen everything up to now.
    pub fn present_position(&self) -> Position {
        Position {
            incarnation: self.incarnations.current,
            sequence: *self.writer.committed().borrow(),
            expired: Stamp::at(UnixMillis(self.now().0 + 1)),
        }
    }

    /// Where a reader of changes stands that has seen nothing.
    pub const fn first_position(&self) -> Position {
        let incarnation = self.incarnations.current;
        Position { incarnation, sequence: 0, expired: Stamp::MIN }
    }

    /// Where a reader goes on that stood at `position`; nothing if that is not known here. Beyond
    /// the last commit lies nothing: such a position is of a store that went on where an older copy
    /// of it, this one, did not.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn resume(&self, position: Position) -> Result<Option<Position>, StoreError> {
        let Position { incarnation, sequence, expired } = position;
        let Some(sequence) = self.incarnations.resume(incarnation, sequence) else {
            return Ok(None);
        };
        // What is committed can be read a moment before the writer tells of it.
        let known = sequence <= *self.writer.committed().borrow()
            || sequence <= local::last_sequence(&*self.store)?;
        let incarnation = self.incarnations.current;
        // Who has seen nothing yet cannot have missed a death.
        let forgotten = Stamp::from_bits(self.horizon.load(Ordering::Acquire));
        let known = known && (expired >= forgotten || expired == Stamp::MIN);
        Ok(known.then_some(Position { incarnation, sequence, expired }))
    }
}

#[cfg(test)]
mod tests;
