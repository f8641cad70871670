//! `kvs audit`: the tamper-evident log of a node.

mod list;
mod verify;

use clap::{Args, Subcommand};

use super::{Done, block_on};
use crate::config::Environment;

/// Read and verify the tamper-evident log of a node.
///
/// With `tamper_logging_enabled` a node writes down every change, in the same write as the change, and
/// signs the whole each second. Other nodes keep what it signed, so that it cannot rewrite its past
/// unseen.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs audit list --key home/room/lamp          who changed it when
  kvs audit head                               what the node signed, what it knows of others
  kvs audit verify data                        every entry of a data directory, or of its copy
  kvs audit verify data1 --heads data2         the same against what another node kept of it")]
pub(super) struct Audit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::List),
    Head(list::Head),
    Verify(verify::Verify),
}

impl Audit {
    pub(super) fn run(self, environment: &Environment) -> Done {
        match self.action {
            Action::List(list) => block_on(list.run(environment)),
            Action::Head(head) => block_on(head.run(environment)),
            Action::Verify(verify) => verify.run(),
        }
    }
}
