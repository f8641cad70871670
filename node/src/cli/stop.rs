//! `kvs stop`, and which instance a command is about.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Args;
use rustix::process::Pid;

use super::failure::NOT_RUNNING;
use super::start::{other_of_this_name, record_of, registry};
use super::{Done, Failure, output, time};
use crate::config::{self, DEFAULT_FILE, Environment};
use crate::daemon::{InstanceName, Record, Registry, State};
use crate::time::{SystemClock, WallClock as _, monotonic};

/// How long closing the store may take after requests have drained.
const CLOSING: Duration = Duration::from_secs(30);
/// How often to look whether an instance has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Stop a node in the background: requests in flight may finish.
///
/// It works from any folder by the node's name. Exit code 3 says that it was not running; what a
/// killed process left behind is then cleaned up.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs stop node1           or kvs stop node1.yaml
  kvs stop                 the node of config.yaml in this folder")]
pub(super) struct Stop {
    /// The node's name or configuration file [default: config.yaml]
    config: Option<PathBuf>,
}

impl Stop {
    pub(super) fn run(self, environment: &Environment) -> Done {
        let registry = registry(environment)?;
        let target = Target::new(self.config.as_deref())?;
        let name = &target.name;
        match target.state(&registry)? {
            State::Running { pid, record } => {
                output::line(stop(&registry, name, pid, record.as_ref())?)
            }
            State::Absent => Err(Failure::because(format!("{name} is not running"), NOT_RUNNING)),
            State::Dead { .. } => {
                registry.forget(name)?;
                Err(Failure::because(died(name, &registry), NOT_RUNNING))
            }
        }
    }
}

fn died(name: &InstanceName, registry: &Registry) -> String {
    let log = registry.log_file(name);
    format!(
        "{name} is not running: it ended without being stopped; its pid file is removed, its log \
         is {}",
        log.display()
    )
}

/// The instance that a command is about.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: InstanceName,
    /// Its configuration, where a path says more than a name.
    path: Option<PathBuf>,
}

impl Target {
    /// A name alone means the instance of that name, wherever its configuration is.
    pub(super) fn new(given: Option<&Path>) -> Result<Self, Failure> {
        let is_path = given.is_none_or(|given| given.components().count() > 1);
        let given = given.unwrap_or(Path::new(DEFAULT_FILE));
        let path = config::existing(given).filter(|_| is_path).map(std::path::absolute);
        Ok(Self { name: InstanceName::of(given)?, path: path.transpose()? })
    }

    /// What became of it; another instance of its name is refused.
    pub(super) fn state(&self, registry: &Registry) -> Result<State, Failure> {
        let state = registry.state(&self.name)?;
        match (&self.path, record_of(&state)) {
            (Some(path), Some(record)) if *path != record.config => {
                let reason = other_of_this_name(&self.name, record, path);
                Err(Failure::because(reason, NOT_RUNNING))
            }
            _ => Ok(state),
        }
    }
}

/// Stops a running instance and says how that went.
pub(super) fn stop(
    registry: &Registry,
    name: &InstanceName,
    pid: Pid,
    record: Option<&Record>,
) -> Result<String, Failure> {
    registry.terminate(name, pid)?;
    let drain = record.map_or(0, |record| record.drain_timeout);
    let patience = Duration::from_millis(drain) + CLOSING;
    let deadline = monotonic() + patience;
    while matches!(registry.state(name)?, State::Running { pid: now, .. } if now == pid) {
        if monotonic() > deadline {
            return Err(Failure::new(still_running(name, pid, patience)));
        }
        thread::sleep(LOOK_EVERY);
    }
    let pid = pid.as_raw_pid();
    let ran = record.map(uptime).map(time::span).map(|span| format!(", it ran {span}"));
    Ok(format!("{name} is stopped: process {pid}{}", ran.unwrap_or_default()))
}

fn still_running(name: &InstanceName, pid: Pid, patience: Duration) -> String {
    let (pid, seconds) = (pid.as_raw_pid(), patience.as_secs());
    format!("{name} was told to stop {seconds}s ago and still runs; end it with: kill -9 {pid}")
}

/// Seconds since an instance started.
pub(super) fn uptime(record: &Record) -> u64 {
    SystemClock.now().0.saturating_sub(record.started) / 1_000
}
