//! `kvs cluster mode`: whether a node takes clients' writes.

use clap::{Args, ValueEnum};
use kvs_client::NodeMode;

use crate::cli::remote::Remote;
use crate::cli::{Done, output};
use crate::config::Environment;

/// Have a node refuse clients' writes, or take them again.
///
/// It stays so after a restart. What other nodes accepted comes all the same, and reading goes on.
/// A node whose configuration says `read_only: true` stays read-only. `normal` also ends a drain.
/// Ask on the node's own machine: nobody else's word is taken.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs cluster mode read_only
  kvs cluster mode normal")]
pub(super) struct Mode {
    /// What the node is to do with clients' writes
    mode: Wanted,

    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Wanted {
    /// Take them
    Normal,
    /// Refuse them
    ReadOnly,
}

impl Mode {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let mode = match self.mode {
            Wanted::Normal => NodeMode::Normal,
            Wanted::ReadOnly => NodeMode::ReadOnly,
        };
        let health = self.remote.client(environment)?.set_mode(mode).await?;
        if self.remote.json {
            return output::json(&health);
        }
        output::line(match (health.mode.as_str(), mode) {
            ("syncing", _) => "It has not caught up with its cluster yet; then the mode counts",
            (_, NodeMode::ReadOnly) => "It refuses clients' writes from now on",
            (_, NodeMode::Normal) => "It takes clients' writes from now on",
        })
    }
}
