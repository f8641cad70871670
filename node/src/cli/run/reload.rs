//! What a running node is told from outside: to stop, or to read its configuration again.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use kvs_config::{Effective, PeerTls, Settings};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::failure::chain;
use crate::config::{self, Sources};
use crate::logging::Logging;
use crate::node::Node;
use crate::server::Tls;

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

    /// Reads the files again as often as need be, until told to stop: by which signal.
    pub(super) async fn attend(&mut self, reload: &mut Reload, node: &Node) -> &'static str {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.hangup.recv() => {
                    reload.now(node);
                    if let Some(tls) = &reload.tls {
                        tls.read_again();
                    }
                    reload.renew(node).await;
                }
                _ = looks.tick() => reload.if_changed(node).await,
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
    seen: FileState,
    /// The cluster file and certificates.
    secrets: Vec<FileState>,
    /// What clients are shown, which looks at its files by itself.
    tls: Option<Tls>,
}

impl Reload {
    pub(super) fn new(sources: Sources, effective: Effective, logging: Logging) -> Self {
        let seen = file_state(sources.file.as_deref());
        let secrets = secret_states(&effective.settings);
        Self { sources, effective, logging, seen, secrets, tls: None }
    }

    /// What is told of new certificates for clients from now on.
    pub(super) fn set_tls(&mut self, tls: Option<Tls>) {
        self.tls = tls;
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.effective.settings
    }

    async fn if_changed(&mut self, node: &Node) {
        let state = file_state(self.sources.file.as_deref());
        // A file that is gone is about to be written anew, or nobody's intent.
        if state.is_some() && state != self.seen {
            self.now(node);
        }
        if secret_states(self.settings()) != self.secrets {
            self.renew(node).await;
        }
    }

    /// Takes over the cluster file and certificates, if there is anything new in them.
    async fn renew(&mut self, node: &Node) {
        // Before they are read: what changes meanwhile is read once more.
        self.secrets = secret_states(self.settings());
        let Some(cluster) = node.cluster() else { return };
        match cluster.renew(node).await {
            Ok(true) => tracing::info!("the cluster's secrets were read again, and are in force"),
            Ok(false) => {}
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(
                    reason,
                    "the cluster's secrets cannot be used; all stays as it was"
                );
            }
        }
    }

    fn now(&mut self, node: &Node) {
        self.seen = file_state(self.sources.file.as_deref());
        match self.sources.load() {
            Ok(effective) => self.take_over(&effective, node),
            Err(error) => {
                let reason = chain(&error);
                tracing::error!(reason, "the configuration is wrong; all stays as it was");
            }
        }
    }

    fn take_over(&mut self, effective: &Effective, node: &Node) {
        let changes = kvs_config::diff(self.settings(), &effective.settings);
        self.logging.set_level(effective.settings.log_level);
        tracing::info!(changed = changes.reloaded.join(", "), "the configuration was read again");
        if !changes.need_restart.is_empty() {
            let settings = changes.need_restart.join(", ");
            tracing::warn!(settings, "changed, but in force only after a restart");
        }
        // What needs a restart stays as it is, and is told of again with the next change.
        self.effective.settings.backup_schedule.clone_from(&effective.settings.backup_schedule);
        node.backups().reschedule(&effective.settings);
        let (old, new) = (&mut self.effective.settings, &effective.settings);
        old.rate_limit = new.rate_limit;
        old.rate_limit_window = new.rate_limit_window;
        old.failed_login_limit = new.failed_login_limit;
        node.rates().set(new);
        if let Some(tls) = self.tls.as_ref().filter(|_| old.tls != new.tls) {
            tls.set(&new.tls);
        }
        // Whether there is TLS at all was settled at the start.
        if old.tls.cert_file.is_some() == new.tls.cert_file.is_some() {
            old.tls.clone_from(&new.tls);
        }
        self.effective.settings.log_level = effective.settings.log_level;
    }
}

/// The states of the cluster file and of the certificates.
fn secret_states(settings: &Settings) -> Vec<FileState> {
    let PeerTls { ca_file, cert_file, key_file } = &settings.peer_tls;
    let certificates = [ca_file, cert_file, key_file].map(Option::as_deref);
    let own = config::cluster_file(settings);
    certificates.into_iter().chain([Some(own.as_path())]).map(file_state).collect()
}

fn file_state(path: Option<&Path>) -> FileState {
    let metadata = std::fs::metadata(path?).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.ino(), metadata.len()))
}
