//! What an instance is called: its configuration's file name without `.yaml`.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The name of an instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceName(String);

/// Why a text names no instance.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{} names no instance: give a configuration such as node1.yaml, or node1", .0.display())]
pub struct NameError(PathBuf);

impl InstanceName {
    /// The name of the instance of this configuration: `node1` for `/etc/node1.yaml`.
    ///
    /// # Errors
    ///
    /// The path has no file name, or one that is not Unicode.
    pub fn of(config: &Path) -> Result<Self, NameError> {
        let file = config.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stem = [".yaml", ".yml"].iter().find_map(|end| file.strip_suffix(end)).unwrap_or(file);
        let printable = !stem.is_empty() && !stem.contains(char::is_control);
        printable.then(|| Self(stem.to_owned())).ok_or_else(|| NameError(config.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
