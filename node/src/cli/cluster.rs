//! `kvs cluster`: what makes nodes a cluster.

mod join;
mod leave;
mod mode;
mod new;
mod rotate;
pub(super) mod status;
mod sync;
mod upgrade;

use clap::{Args, Subcommand};

use super::{Done, block_on};
use crate::config::Environment;

/// Make nodes a cluster, look after it, and take nodes out of it.
///
/// The cluster file is the secret that its nodes share: whoever has it is a member, and can
/// read and change all that the cluster stores.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs cluster new --out cluster.kvs      a new cluster's file
  kvs cluster join cluster.kvs node1     let the stopped, empty node of node1.yaml join it
  kvs cluster status                     who is how far
  kvs cluster sync                       compare with all others now
  kvs cluster rotate cluster.kvs add     begin to replace its secret")]
pub(super) struct Cluster {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    New(new::New),
    Join(join::Join),
    Status(status::Status),
    Sync(sync::Sync),
    Mode(mode::Mode),
    Leave(leave::Leave),
    Rotate(rotate::Rotate),
    Upgrade(upgrade::Upgrade),
}

impl Cluster {
    pub(super) fn run(self, environment: Environment) -> Done {
        match self.action {
            Action::New(new) => new.run(),
            Action::Join(join) => join.run(environment),
            Action::Status(status) => block_on(status.run(&environment)),
            Action::Sync(sync) => block_on(sync.run(&environment)),
            Action::Mode(mode) => block_on(mode.run(&environment)),
            Action::Leave(leave) => block_on(leave.run(&environment)),
            Action::Upgrade(upgrade) => block_on(upgrade.run(&environment)),
            Action::Rotate(rotate) => rotate.run(),
        }
    }
}
