//! The backups of a running node: one at a time, on demand and by schedule.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kvs_client::{Backup, BackupFailure, BackupProgress, BackupStatus};
use kvs_config::{Schedule, Settings};
use kvs_core::UnixMillis;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::time::MissedTickBehavior;

use super::create::{self, CreateError, Order};
use super::shelf::{self, Shelf, ShelfError};
use super::{BackupName, Found, Progress, catalog};
use crate::node::Node;
use crate::store::RocksStore;
use crate::time::monotonic;

/// How often it is looked whether a backup is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a node has of backups.
pub struct Backups {
    /// Nothing where the store is not on disk.
    store: Option<Arc<RocksStore>>,
    shelf: Arc<dyn Shelf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    schedule: Option<Schedule>,
    /// When the next one is due.
    next: Option<u64>,
    running: Option<(BackupName, Arc<Progress>)>,
    last_success: Option<Backup>,
    last_duration: Option<Duration>,
    last_failure: Option<BackupFailure>,
    made: u64,
    failed: u64,
}

/// Why a backup does not begin.
#[derive(Debug, Error)]
pub enum BeginError {
    /// One is being made.
    #[error("backup {0} is being made; one at a time is")]
    Busy(BackupName),
    /// The node does not have all that its cluster has.
    #[error("this node has not caught up with its cluster yet; another one may make a backup")]
    NotCaughtUp,
    /// There is nothing to copy.
    #[error("the store is not on disk")]
    NotOnDisk,
}

impl Backups {
    /// Backups of a store, to where the settings say. Call within a Tokio runtime.
    ///
    /// # Errors
    ///
    /// It cannot be known how to reach that place.
    pub fn new(settings: &Settings, store: Option<Arc<RocksStore>>) -> Result<Self, ShelfError> {
        let shelf = shelf::of_settings(settings, Handle::current())?;
        let state = State { schedule: schedule_of(settings), ..State::default() };
        Ok(Self { store, shelf, state: Mutex::new(state) })
    }

    /// Where they lie.
    pub fn shelf(&self) -> &Arc<dyn Shelf> {
        &self.shelf
    }

    /// Goes by another schedule from now on.
    pub fn reschedule(&self, settings: &Settings) {
        self.lock().schedule = schedule_of(settings);
    }

    /// What goes on and what was.
    pub fn status(&self) -> BackupStatus {
        let state = self.lock();
        let running = state.running.as_ref().map(|(name, progress)| {
            let (done, total) = progress.get();
            BackupProgress { name: name.to_string(), done, total }
        });
        let millis = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        BackupStatus {
            target: self.shelf.to_string(),
            schedule: state.schedule.as_ref().map(ToString::to_string),
            next: state.next,
            running,
            last_success: state.last_success.clone(),
            last_duration: state.last_duration.map(millis),
            last_failure: state.last_failure.clone(),
            made: state.made,
            failed: state.failed,
        }
    }

    /// The backups that are there. Waits.
    ///
    /// # Errors
    ///
    /// The place cannot be read.
    pub fn find(&self) -> Result<Vec<Found>, ShelfError> {
        catalog::find(&*self.shelf)
    }

    /// Deletes a backup; says whether there was any. Waits.
    ///
    /// # Errors
    ///
    /// It cannot be deleted.
    pub fn delete(&self, name: &BackupName) -> Result<bool, ShelfError> {
        let deleted = catalog::delete(&*self.shelf, name)?;
        let mut state = self.lock();
        if state.last_success.as_ref().is_some_and(|last| last.name == name.as_str()) {
            state.last_success = None;
        }
        Ok(deleted)
    }

    /// Whether this one is being made.
    pub fn is_making(&self, name: &BackupName) -> bool {
        self.lock().running.as_ref().is_some_and(|(running, _)| running == name)
    }

    /// Begins a backup, a task of the node's.
    ///
    /// # Errors
    ///
    /// None is begun.
    pub fn begin(node: &Arc<Node>) -> Result<BackupName, BeginError> {
        let this = node.backups();
        if !node.has_caught_up() || node.start_over().is_cancelled() {
            return Err(BeginError::NotCaughtUp);
        }
        let store = this.store.clone().ok_or(BeginError::NotOnDisk)?;
        let at = node.now();
        let name = BackupName::new(node.identity().node, at);
        let progress = Arc::new(Progress::default());
        let mut state = this.lock();
        if let Some((running, _)) = &state.running {
            return Err(BeginError::Busy(running.clone()));
        }
        state.running = Some((name.clone(), progress.clone()));
        drop(state);
        node.spawn(make(node.clone(), store, name.clone(), at, progress));
        Ok(name)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is done under it that could panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self, manifest: Backup, took: Duration) {
        let mut state = self.lock();
        state.made += 1;
        state.last_success = Some(manifest);
        state.last_duration = Some(took);
        state.running = None;
    }

    fn failed(&self, name: &BackupName, at: UnixMillis, reason: String) {
        let mut state = self.lock();
        state.failed += 1;
        state.last_failure = Some(BackupFailure { name: name.to_string(), at: at.0, reason });
        state.running = None;
    }
}

impl fmt::Debug for Backups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backups({})", self.shelf)
    }
}

/// One that does not parse was refused with the configuration.
fn schedule_of(settings: &Settings) -> Option<Schedule> {
    settings.backup_schedule.as_deref()?.parse().ok()
}

/// Makes a backup and then deletes what is too old.
async fn make(
    node: Arc<Node>,
    store: Arc<RocksStore>,
    name: BackupName,
    at: UnixMillis,
    progress: Arc<Progress>,
) {
    let began = monotonic();
    let making = tokio::task::spawn_blocking({
        let (node, name) = (node.clone(), name.clone());
        move || {
            let (data_dir, node_name) = (&node.settings().data_dir, node.name());
            let order = Order {
                store: &store,
                data_dir,
                shelf: &*node.backups().shelf,
                name: &name,
                node: node.identity().node,
                node_name: &node_name,
                at,
                stop: node.stopping(),
                progress: &progress,
            };
            let made = create::create(&order)?;
            prune(&node);
            Ok::<_, CreateError>(made)
        }
    });
    match making.await {
        Ok(Ok(manifest)) => {
            let took = began.elapsed();
            tracing::info!(backup = %name, bytes = manifest.archive.size, ?took, "a backup was made");
            node.backups().done(catalog::view(&manifest), took);
        }
        Ok(Err(error)) => {
            let reason = chain(&error);
            tracing::error!(backup = %name, reason, "a backup was not made");
            node.backups().failed(&name, node.now(), reason);
        }
        Err(error) => node.backups().failed(&name, node.now(), error.to_string()),
    }
}

/// Deletes what is too old. A backup that was made is one even where that fails.
fn prune(node: &Node) {
    let (settings, now) = (node.settings(), node.now());
    let retention = settings.backup_retention.into();
    match catalog::prune(&*node.backups().shelf, node.identity().node, retention, now) {
        Ok(old) => {
            for name in old {
                tracing::info!(backup = %name, "a backup is older than backup_retention: deleted");
            }
        }
        Err(error) => tracing::warn!(reason = chain(&error), "old backups were not deleted"),
    }
}

/// An error with what lies behind it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

/// Begins backups when they are due, until the node stops. What was missed is made up for once.
pub async fn schedule(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut since = last_made(&node).await.unwrap_or(node.now().0);
    while node.stopping().run_until_cancelled(ticks.tick()).await.is_some() {
        let now = node.now().0;
        // A clock that was set back must not put the next one off.
        since = since.min(now);
        let due = {
            let mut state = node.backups().lock();
            state.next = state.schedule.as_ref().and_then(|schedule| schedule.next_after(since));
            // One that is set later makes up for nothing.
            since = if state.schedule.is_none() { now } else { since };
            state.next.is_some_and(|due| due <= now)
        };
        if due && Backups::begin(&node).is_ok() {
            since = now;
        }
    }
}

/// When this node's last backup was made, which is then known as such.
async fn last_made(node: &Arc<Node>) -> Option<u64> {
    let finding = tokio::task::spawn_blocking({
        let node = node.clone();
        move || node.backups().find()
    });
    let found = match node.stopping().run_until_cancelled(finding).await?.ok()? {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(
                reason = chain(&error),
                "it cannot be seen when the last backup was made"
            );
            return None;
        }
    };
    let me = node.identity().node;
    let own = found.iter().filter(|found| found.name.is_of(me));
    let last = own.filter(|found| found.manifest.is_ok()).map(Found::view).next()?;
    let created = last.created;
    node.backups().lock().last_success.get_or_insert(last);
    created
}
