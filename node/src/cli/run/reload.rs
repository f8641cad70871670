//! What a running node is told from outside: to stop, or to read its configuration again.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Weak};
use std::time::Duration;

use kvs_config::{Effective, Settings};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::failure::chain;
use crate::config::Sources;
use crate::logging::Logging;
use crate::node::Node;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The signals that a node attends to.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Reads the configuration again as often as need be, until told to stop: by which signal.
    pub(super) async fn attend(&mut self, reload: &mut Reload) -> &'static str {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.hangup.recv() => reload.now(),
                _ = looks.tick() => reload.if_changed(),
            }
        }
    }
}

/// What tells one state of a file from the next: when it was written, which file, how long.
type FileState = Option<(i64, i64, u64, u64)>;

/// The settings in force and where they come from.
#[derive(Debug)]
pub(super) struct Reload {
    sources: Sources,
    effective: Effective,
    logging: Logging,
    /// Who is to know of changes.
    node: Weak<Node>,
    seen: FileState,
}

impl Reload {
    pub(super) fn new(sources: Sources, effective: Effective, logging: Logging) -> Self {
        let seen = file_state(&sources);
        Self { sources, effective, logging, node: Weak::new(), seen }
    }

    /// Tells this node of changes from now on.
    pub(super) fn tell(&mut self, node: &Arc<Node>) {
        self.node = Arc::downgrade(node);
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.effective.settings
    }

    fn if_changed(&mut self) {
        let state = file_state(&self.sources);
        // A file that is gone is about to be written anew, or nobody's intent.
        if state.is_some() && state != self.seen {
            self.now();
        }
    }

    fn now(&mut self) {
        self.seen = file_state(&self.sources);
        match self.sources.load() {
            Ok(effective) => self.take_over(&effective),
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(reason, "the configuration is wrong; all stays as it was");
            }
        }
    }

    fn take_over(&mut self, effective: &Effective) {
        let changes = kvs_config::diff(self.settings(), &effective.settings);
        self.logging.set_level(effective.settings.log_level);
        tracing::info!(changed = changes.reloaded.join(", "), "the configuration was read again");
        if !changes.need_restart.is_empty() {
            let settings = changes.need_restart.join(", ");
            tracing::warn!(settings, "changed, but in force only after a restart");
        }
        // What needs a restart stays as it is, and is told of again with the next change.
        self.effective.settings.backup_schedule.clone_from(&effective.settings.backup_schedule);
        if let Some(node) = self.node.upgrade() {
            node.backups().reschedule(&effective.settings);
        }
        self.effective.settings.log_level = effective.settings.log_level;
    }
}

fn file_state(sources: &Sources) -> FileState {
    let metadata = std::fs::metadata(sources.file.as_deref()?).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.ino(), metadata.len()))
}
