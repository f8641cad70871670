//! What is known of the instances of this machine: files under `~/.kvs`.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::process::{Flock, FlockType, Pid, Signal, fcntl_getlk, kill_process};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::InstanceName;

/// The files under `~/.kvs`.
#[derive(Clone, Debug)]
pub struct Registry {
    pids: PathBuf,
    logs: PathBuf,
}

/// What an instance says of itself once it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The configuration, from the root.
    pub config: PathBuf,
    /// Where its data lies.
    pub data_dir: PathBuf,
    /// Where it answers.
    pub url: String,
    /// When it started, in Unix milliseconds.
    pub started: u64,
    /// How long it may take to end, in milliseconds.
    pub drain_timeout: u64,
}

/// What became of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It was never started here, or it was stopped.
    Absent,
    /// It ended without being stopped.
    Dead {
        /// What it said of itself.
        record: Option<Record>,
    },
    /// It runs.
    Running {
        /// Its process.
        pid: Pid,
        /// What it says of itself; nothing until it is ready.
        record: Option<Record>,
    },
}

/// The files under `~/.kvs` could not be read or written.
#[derive(Debug, Error)]
#[error("cannot {doing} {path}", path = .path.display())]
pub struct RegistryError {
    /// What was being done.
    pub doing: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl RegistryError {
    pub(super) fn when(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, path: path.to_owned(), source }
    }
}

impl Registry {
    /// The registry below a home folder.
    pub fn below(home: &Path) -> Self {
        let root = home.join(".kvs");
        Self { pids: root.join("pids"), logs: root.join("logs") }
    }

    /// The file that an instance holds locked, with its pid in it.
    pub fn pid_file(&self, name: &InstanceName) -> PathBuf {
        self.pids.join(format!("{name}.pid"))
    }

    /// The file with an instance's [`Record`].
    pub fn record_file(&self, name: &InstanceName) -> PathBuf {
        self.pids.join(format!("{name}.json"))
    }

    /// An instance's log.
    pub fn log_file(&self, name: &InstanceName) -> PathBuf {
        self.logs.join(format!("kvs_{name}.yaml.log"))
    }

    /// Every instance that runs or ended without being stopped, by name.
    ///
    /// # Errors
    ///
    /// The folder of pid files cannot be read.
    pub fn names(&self) -> Result<Vec<InstanceName>, RegistryError> {
        let failed = || RegistryError::when("read", &self.pids);
        let entries = match fs::read_dir(&self.pids) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed())?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(failed())?.file_name();
            let stem = file.to_str().and_then(|file| file.strip_suffix(".pid"));
            names.extend(stem.and_then(|stem| InstanceName::of(Path::new(stem)).ok()));
        }
        names.sort();
        Ok(names)
    }

    /// What became of an instance.
    ///
    /// # Errors
    ///
    /// Its pid file is there and cannot be read.
    pub fn state(&self, name: &InstanceName) -> Result<State, RegistryError> {
        let path = self.pid_file(name);
        let failed = || RegistryError::when("read", &path);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Absent),
            file => file.map_err(failed())?,
        };
        let record = self.record(name);
        let holder = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock));
        let holder = holder.map_err(io::Error::from).map_err(failed())?;
        Ok(match holder.map(|lock| lock.pid.or_else(|| pid_in(&file))) {
            Some(Some(pid)) => State::Running { pid, record },
            Some(None) | None => State::Dead { record },
        })
    }

    /// What an instance said of itself; nothing if it is not ready yet, or the file is no record.
    fn record(&self, name: &InstanceName) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.record_file(name)).ok()?).ok()
    }

    /// Asks an instance's process to end.
    ///
    /// # Errors
    ///
    /// It is another user's.
    pub fn terminate(&self, name: &InstanceName, pid: Pid) -> Result<(), RegistryError> {
        match kill_process(pid, Signal::TERM) {
            // It ended by itself meanwhile.
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => {
                Err(RegistryError::when("end the process of", &self.pid_file(name))(error.into()))
            }
        }
    }

    /// Removes what an instance left that is not running.
    ///
    /// # Errors
    ///
    /// A file cannot be removed.
    pub fn forget(&self, name: &InstanceName) -> Result<(), RegistryError> {
        for path in [self.record_file(name), self.pid_file(name)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(RegistryError::when("remove", &path))?,
            }
        }
        Ok(())
    }
}

/// The pid in the file: what the kernel cannot say of a process in another pid namespace.
fn pid_in(mut file: &File) -> Option<Pid> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    Pid::from_raw(text.trim().parse().ok()?)
}
