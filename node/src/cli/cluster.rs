//! `kvs cluster`: what makes nodes a cluster.

mod join;
mod new;
mod rotate;

use clap::{Args, Subcommand};

use super::Done;
use crate::config::Environment;

/// Make nodes a cluster: the secret file that they share.
///
/// Whoever has the cluster file is a member: it can read and change all that the cluster stores.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs cluster new --out cluster.kvs      a new cluster's file
  kvs cluster join cluster.kvs node1     let the stopped, empty node of node1.yaml join it
  kvs cluster rotate cluster.kvs add     begin to replace its secret")]
pub(super) struct Cluster {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    New(new::New),
    Join(join::Join),
    Rotate(rotate::Rotate),
}

impl Cluster {
    pub(super) fn run(self, environment: Environment) -> Done {
        match self.action {
            Action::New(new) => new.run(),
            Action::Join(join) => join.run(environment),
            Action::Rotate(rotate) => rotate.run(),
        }
    }
}
