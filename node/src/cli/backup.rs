//! `kvs backup`: copies of a node's data, and nodes made of them.

mod create;
mod list;
mod place;
mod restore;
mod verify;

use clap::{Args, Subcommand};

use super::{Done, block_on};
use crate::config::Environment;

/// Make, check and restore backups of a node.
///
/// A node writes its backups to its `backup_target` by itself, as its `backup_schedule` says. A
/// backup has all data of the cluster as the node held it, history included, but neither the cluster
/// file nor keys that sign or seal.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs backup create                                  have the node make one now
  kvs backup list                                    what there is
  kvs backup verify backups/NAME.tar.zst             compare every hash
  kvs backup restore backups/NAME.tar.zst --data-dir data2
  kvs backup restore s3://bucket/prefix/NAME.tar.zst --data-dir data2 --cluster cluster.kvs")]
pub(super) struct Backup {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(create::Create),
    List(list::List),
    Delete(list::Delete),
    Status(list::Status),
    Verify(verify::Verify),
    Restore(restore::Restore),
}

impl Backup {
    pub(super) fn run(self, environment: &Environment) -> Done {
        match self.action {
            Action::Create(create) => block_on(create.run(environment)),
            Action::List(list) => block_on(list.run(environment)),
            Action::Delete(delete) => block_on(delete.run(environment)),
            Action::Status(status) => block_on(status.run(environment)),
            Action::Verify(verify) => verify.run(),
            Action::Restore(restore) => restore.run(),
        }
    }
}
