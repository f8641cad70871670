//! Nodes in the background of one machine: who they are, and how they are started and ended.
//!
//! Everything about them lies under `~/.kvs`. A running instance holds its pid file locked, and
//! that lock ends with the process, however it ends: no stale pid can be taken for a live one.

mod hold;
mod launch;
mod name;
mod registry;

pub use hold::{Hold, HoldError};
pub use launch::{LaunchError, Launched, launch};
pub use name::{InstanceName, NameError};
pub use registry::{Record, Registry, RegistryError, State};

#[cfg(test)]
mod tests;
