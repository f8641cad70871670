//! What a running node is told from outside: to stop, or to read its configuration again.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use kvs_config::{Effective, PeerTls, Settings};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Interval;

use crate::cli::failure::chain;
use crate::config::{self, LoadError, Sources};
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
            match self.next(&mut looks).await {
                Told::Stop(signal) => return signal,
                Told::ReadAgain => {
                    reload.now(node);
                    if let Some(tls) = &reload.tls {
                        tls.read_again();
                    }
                    reload.renew(node).await;
                }
                Told::Look => reload.if_changed(node).await,
            }
        }
    }

    /// Waits while the node is held down, with nothing open; answers the signal, if it was told to stop
    /// meanwhile.
    pub(super) async fn hold(&mut self, reload: &mut Reload) -> Option<&'static str> {
        if !reload.is_fenced() {
            return None;
        }
        tracing::warn!(
            "held down: `fenced` names this node, which opens nothing until it is taken out"
        );
        let mut looks = tokio::time::interval(LOOK_EVERY);
        while reload.is_fenced() {
            match self.next(&mut looks).await {
                Told::Stop(signal) => return Some(signal),
                Told::ReadAgain => reload.whole(),
                Told::Look if reload.has_changed() => reload.whole(),
                Told::Look => {}
            }
        }
        tracing::info!("held down no longer");
        None
    }

    async fn next(&mut self, looks: &mut Interval) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
            _ = self.hangup.recv() => Told::ReadAgain,
            _ = looks.tick() => Told::Look,
        }
    }
}

/// What a node is told next.
enum Told {
    Stop(&'static str),
    ReadAgain,
    /// Nothing, and it is time to look at the files.
    Look,
}

/// What tells one state of a file from the next: when it was written, which file, how long.
type FileState = Option<(i64, i64, u64, u64)>;

/// The settings in force and where they come from.
#[derive(Debug)]
pub(super) struct Reload {
    sources: Sources,
    effective: Effective,
    logging: Logging,
    /// The configuration files, when they were last looked at.
    seen: Vec<FileState>,
    /// The same, when the settings in force were read from them.
    read: Vec<FileState>,
    /// The cluster file and certificates.
    secrets: Vec<FileState>,
    /// What clients are shown, which looks at its files by itself.
    tls: Option<Tls>,
}

impl Reload {
    pub(super) fn new(sources: Sources, effective: Effective, logging: Logging) -> Self {
        let seen = configuration_states(&sources);
        let secrets = secret_states(&effective.settings);
        Self { sources, effective, logging, read: seen.clone(), seen, secrets, tls: None }
    }

    /// What is told of new certificates for clients from now on.
    pub(super) fn set_tls(&mut self, tls: Option<Tls>) {
        self.tls = tls;
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.effective.settings
    }

    /// Whether this node is held down.
    pub(super) fn is_fenced(&self) -> bool {
        let settings = self.settings();
        settings.node_id.as_ref().is_some_and(|name| settings.fenced.contains(name))
    }

    fn has_changed(&self) -> bool {
        configuration_states(&self.sources) != self.seen
    }

    async fn if_changed(&mut self, node: &Node) {
        if self.has_changed() {
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
        if let Some(effective) = self.load() {
            self.take_over(&effective, node);
        }
    }

    /// Takes everything over, for a node that has not started.
    fn whole(&mut self) {
        if let Some(effective) = self.load() {
            self.logging.set_level(effective.settings.log_level);
            self.secrets = secret_states(&effective.settings);
            self.effective = effective;
        }
    }

    /// What the files say now, if that is right and all are there that were. A file that is gone is about
    /// to be written anew, or nobody's intent.
    fn load(&mut self) -> Option<Effective> {
        self.seen = configuration_states(&self.sources);
        let paths = [&self.sources.file, &self.sources.live].into_iter().flatten();
        let states = self.read.iter().zip(&self.seen);
        if let Some((path, _)) =
            paths.zip(states).find(|(_, (was, is))| was.is_some() && is.is_none())
        {
            let path = path.display();
            tracing::warn!(%path, "a configuration file is gone; all stays as it was");
            return None;
        }
        let wrong = |error: LoadError| {
            let reason = chain(&error);
            tracing::error!(reason, "the configuration is wrong; all stays as it was");
        };
        let effective = self.sources.load().map_err(wrong).ok()?;
        self.read.clone_from(&self.seen);
        Some(effective)
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

/// The states of the files that settings are in.
fn configuration_states(sources: &Sources) -> Vec<FileState> {
    let files = [&sources.file, &sources.live].into_iter().flatten();
    files.map(|path| file_state(Some(path))).collect()
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
