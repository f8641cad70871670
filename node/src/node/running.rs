//! How a node starts and how it ends.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use kvs_config::Settings;
use kvs_core::token::Lifetimes;
use kvs_core::{Format, UnixMillis};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Node, chores};
use crate::accounts::{self, Accounts};
use crate::audit::{self, Appender, Audit};
use crate::backup::shelf::ShelfError;
use crate::backup::{self, Backups};
use crate::cluster::{self, ClusterError};
use crate::digest::{self, Digest};
use crate::duty::Duty;
use crate::identities::Identities;
use crate::local::{self, LocalState};
use crate::rates::Rates;
use crate::records::MetaKeys;
use crate::store::{DataLock, OpenError, RocksOptions, RocksStore, Store, StoreError};
use crate::time::{WallClock, monotonic};
use crate::writer::{self, Applier, Durability, Retention, Tail, WriterParts, WriterThread};

/// How long a node that stops waits for each of its parts, beside `drain_timeout` for its clients.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// How long a node that stops tries to send what it accepted to another one.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

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
        backup::hand_over(&settings.data_dir)?;
        let store = Arc::new(RocksStore::open(&settings.data_dir, &rocks_options(&settings))?);
        let backups = Backups::new(&settings, Some(store.clone()))?;
        Self::start_on(store, backups, lock, settings, clock, client, newest)
    }

    /// Starts on a store that is open, and whose directory is held.
    pub(super) fn start_on(
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
        node.spawn(chores::scrub(node.clone()));
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
            None => drop(node.spawn(chores::collect_the_dead(node.clone()))),
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

pub(super) fn rocks_options(settings: &Settings) -> RocksOptions {
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
