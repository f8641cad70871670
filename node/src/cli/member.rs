//! `kvs member`: the nodes of a cluster.

use clap::{Args, Subcommand};
use kvs_client::Member;

use super::output::{self, Table};
use super::remote::Remote;
use super::stopped::confirm;
use super::{Done, time};
use crate::config::Environment;

/// List the nodes of a cluster, or give one up.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs member list
  kvs member forget node3")]
pub(super) struct Members {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Forget(Forget),
}

/// List the nodes that a node knows, with their ids and addresses
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    remote: Remote,
}

/// Give up a member that will not come back.
///
/// The others wait for it no longer, and forget deletes that it did not see. What it alone had is
/// lost to the cluster. Should it come back all the same, it puts what it alone may have into a file
/// that `kvs import` reads, and begins anew as an empty node. A member that can be reached is not
/// forgotten: let it leave, or stop it.
#[derive(Debug, Args)]
struct Forget {
    /// Its id, or its name if no other member has it
    node: String,

    /// Do not ask whether to go on
    #[arg(long, short)]
    yes: bool,

    #[command(flatten)]
    remote: Remote,
}

impl Members {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        match self.action {
            Action::List(list) => list.run(environment).await,
            Action::Forget(forget) => forget.run(environment).await,
        }
    }
}

impl List {
    async fn run(self, environment: &Environment) -> Done {
        let members = self.remote.client(environment)?.members().await?.members;
        if self.remote.json {
            return members.iter().try_for_each(output::json);
        }
        let mut table = Table::new(["NAME", "STATE", "ADDRESS", "FIRST STARTED", "VERSION", "ID"]);
        for Member { id, name, state, address, joined, version, .. } in members {
            table.row([name, state, address, time::utc(joined), version, id.to_string()]);
        }
        table.print()
    }
}

impl Forget {
    async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let node = &self.node;
        let what = format!("What {node} alone has will be lost to the cluster.");
        confirm(self.yes, &what)?;
        let status = client.forget(node).await?;
        if self.remote.json {
            return output::json(&status);
        }
        output::line(format_args!("{node} is forgotten: nobody waits for it any more"))
    }
}
