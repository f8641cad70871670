//! The data of a node that does not run, for commands that change it.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use kvs_config::Settings;

use super::config::sources;
use super::failure::USAGE;
use super::flags::SettingFlags;
use super::{Done, Failure};
use crate::config::Environment;
use crate::store::{DataLock, OpenError, RocksOptions, RocksStore, StoreError};

/// A node's settings and store, which nobody else opens meanwhile.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) settings: Settings,
    pub(super) store: RocksStore,
    _lock: DataLock,
}

impl Stopped {
    /// Opens the data of the node of this configuration; it must have run before, and not now.
    pub(super) fn open(
        config: Option<&Path>,
        environment: Environment,
        flags: SettingFlags,
    ) -> Result<Self, Failure> {
        let settings = sources(config, environment, flags.0)?.load()?.settings;
        let dir = &settings.data_dir;
        if !RocksStore::is_in(dir) {
            return Err(Failure::new(format!("no node ever ran on {}", dir.display())));
        }
        let lock = DataLock::take(dir).map_err(|error| Failure::of(&error))?;
        let store = RocksStore::open(dir, &options(&settings))?;
        Ok(Self { settings, store, _lock: lock })
    }
}

/// How a command opens a store: nothing is kept free, since commands free room.
pub(super) fn options(settings: &Settings) -> RocksOptions {
    RocksOptions {
        block_cache: settings.block_cache.as_len(),
        write_buffer: settings.write_buffer.as_len(),
        disk_reserve: 0,
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::of(&error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::of(&error)
    }
}

/// Asks whether to go on, where somebody can answer and `yes` was not given.
pub(super) fn confirm(yes: bool, what: &str) -> Done {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::because(format!("{what} To go on, add --yes"), USAGE));
    }
    write!(io::stderr().lock(), "{what} Go on? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    if yes { Ok(()) } else { Err(Failure::new("nothing was done")) }
}
