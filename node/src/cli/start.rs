//! `kvs start` and `kvs restart`: instances in the background.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::stop::{self, Target};
use super::{Done, Failure, output};
use crate::config::{self, Environment};
use crate::daemon::{self, InstanceName, LaunchError, Record, Registry, State};

/// Start a node in the background, and wait until it is ready.
///
/// It prints where the node answers and how to stop it, or why it did not start, with the exit
/// code of the reason. The node is named by its file: node1 for node1.yaml. Its log is
/// `~/.kvs/logs/kvs_node1.yaml.log`, its pid is in `~/.kvs/pids/node1.pid`. It works from any folder: a
/// relative `data_dir` is taken from the folder of the configuration file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs start                with config.yaml of this folder, written if it is not there
  kvs start node1.yaml     or kvs start node1")]
pub(super) struct Start {
    /// The configuration file; its .yaml may be left out [default: config.yaml]
    config: Option<PathBuf>,
}

/// Stop a node in the background if it runs, and start it.
///
/// A node that runs is known by its name alone, from any folder, and starts again with the
/// configuration that it ran with.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs restart node1")]
pub(super) struct Restart {
    /// The node's name or configuration file [default: config.yaml]
    config: Option<PathBuf>,
}

impl Start {
    pub(super) fn run(self, environment: &Environment) -> Done {
        let registry = registry(environment)?;
        start(&registry, self.config.as_deref())
    }
}

impl Restart {
    pub(super) fn run(self, environment: &Environment) -> Done {
        let registry = registry(environment)?;
        let target = Target::new(self.config.as_deref())?;
        let state = target.state(&registry)?;
        let known = record_of(&state).map(|record| record.config.clone());
        if let State::Running { pid, record } = state {
            output::line(stop::stop(&registry, &target.name, pid, record.as_ref())?)?;
        }
        start(&registry, known.or(self.config).as_deref())
    }
}

/// Where the instances of this user are remembered.
pub(super) fn registry(environment: &Environment) -> Result<Registry, Failure> {
    let home = environment.home.as_deref();
    let missing = || Failure::new("HOME is not set, and nodes are remembered in $HOME/.kvs");
    home.map(Registry::below).ok_or_else(missing)
}

fn start(registry: &Registry, config: Option<&Path>) -> Done {
    let found = config::find(config)?;
    let path = std::path::absolute(&found.path)?;
    if found.written {
        output::notice(format_args!("wrote {}, with the defaults", path.display()));
    }
    let name = InstanceName::of(&path)?;
    refuse_running(&name, &path, registry.state(&name)?)?;
    let program = std::env::current_exe()?;
    match daemon::launch(&program, &path, &name, io::stdout().is_terminal()) {
        Ok(launched) => output::line(launched.greeting.trim_end()),
        Err(error) => Err(refused(&error, &name)),
    }
}

fn refuse_running(name: &InstanceName, path: &Path, state: State) -> Done {
    let State::Running { pid, record } = state else { return Ok(()) };
    let pid = pid.as_raw_pid();
    Err(Failure::new(match record {
        None => format!("{name} is starting already: process {pid}"),
        Some(record) if record.config != path => other_of_this_name(name, &record, path),
        Some(record) => format!("{name} is running already: process {pid} at {}", record.url),
    }))
}

/// Why a configuration cannot be told from another that is in use.
pub(super) fn other_of_this_name(name: &InstanceName, record: &Record, path: &Path) -> String {
    let (running, path) = (record.config.display(), path.display());
    format!("the {name} that runs is {running}, not {path}; rename one of the two files")
}

pub(super) const fn record_of(state: &State) -> Option<&Record> {
    match state {
        State::Absent => None,
        State::Dead { record } | State::Running { record, .. } => record.as_ref(),
    }
}

/// The instance's own words and exit code become ours.
fn refused(error: &LaunchError, name: &InstanceName) -> Failure {
    match error {
        LaunchError::Ended { said, code } => {
            let said = said.strip_prefix("kvs: ").unwrap_or(said);
            let reason = format!("{name} did not start: {said}");
            Failure::because(reason, code.unwrap_or(super::failure::FAILED))
        }
        LaunchError::Spawn { .. } => Failure::of(error),
    }
}
