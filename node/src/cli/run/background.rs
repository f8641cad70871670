//! A node as an instance of `kvs start`: the half that runs in the instance itself.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use kvs_config::Settings;

use super::Greeting;
use crate::cli::{Done, Failure, start};
use crate::config::Sources;
use crate::daemon::{Hold, InstanceName, Record, RegistryError};
use crate::logging::Destination;
use crate::node::Node;

/// The instance's pid file and log.
#[derive(Debug)]
pub(super) struct Background {
    hold: Hold,
    name: InstanceName,
    config: PathBuf,
    log: PathBuf,
    /// Whether what the starter is told is shown to a person.
    to_a_person: bool,
}

impl Background {
    /// Leaves the terminal and takes the name.
    pub(super) fn enter(
        name: &Path,
        sources: &Sources,
        to_a_person: bool,
    ) -> Result<Self, Failure> {
        // It fails where this is the leader of a session already, which is what is wanted.
        let _ = rustix::process::setsid();
        let registry = start::registry(&sources.environment)?;
        let name = InstanceName::of(name)?;
        let hold = Hold::take(&registry, &name)?;
        let config = sources.file.clone().unwrap_or_default();
        Ok(Self { hold, config, log: registry.log_file(&name), name, to_a_person })
    }

    pub(super) fn log(&self) -> Result<Destination, Failure> {
        let doing = "write the log";
        let failed = |source| RegistryError { doing, path: self.log.clone(), source };
        Ok(Destination::append_to(&self.log).map_err(failed)?)
    }

    /// Tells everybody who may ask, and last the starter, who reads until the pipes close.
    pub(super) fn ready(&self, greeting: &Greeting, settings: &Settings, node: &Node) -> Done {
        self.hold.announce(&Record {
            config: self.config.clone(),
            data_dir: settings.data_dir.clone(),
            url: greeting.url.clone(),
            started: node.started().0,
            drain_timeout: settings.drain_delay.as_millis() + settings.drain_timeout.as_millis(),
        })?;
        let log = OpenOptions::new().append(true).open(&self.log)?;
        say(&greeting.background(self.name.as_str(), &self.log, self.to_a_person));
        close_pipes(&log)
    }

    /// Gives the name up. What it left of itself goes.
    pub(super) fn leave(self) -> Done {
        Ok(self.hold.release()?)
    }
}

/// The starter may have been interrupted; the instance runs all the same.
fn say(greeting: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{greeting}").and_then(|()| out.flush());
}

/// What is still printed, such as a panic, goes to the log from here on.
fn close_pipes(log: &File) -> Done {
    rustix::stdio::dup2_stdout(log).map_err(std::io::Error::from)?;
    rustix::stdio::dup2_stderr(log).map_err(std::io::Error::from)?;
    Ok(())
}
