//! `kvs cluster leave`: a member goes for good.

use std::time::Duration;

use clap::Args;
use kvs_client::ClusterStatus;

use crate::cli::remote::Remote;
use crate::cli::stopped::confirm;
use crate::cli::{Done, output};
use crate::config::Environment;

/// How often it is looked how far the node is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Have a node leave its cluster for good, losing nothing.
///
/// It refuses clients' writes from then on, agrees with every member that can be reached, and is no
/// member any more: deletes need not wait for it. It must be stopped then. Its data stays where it
/// is; to join again it must be emptied (`kvs reset-identity`). For a restart or an update, just
/// stop a node: it stays a member.
///
/// A node that never comes back cannot leave: forget it (`kvs member forget`) on another one.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs cluster leave --server http://127.0.0.1:8083 && kvs stop node3")]
pub(super) struct Leave {
    /// Do not ask whether to go on
    #[arg(long, short)]
    yes: bool,

    #[command(flatten)]
    remote: Remote,
}

impl Leave {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let before = client.cluster().await?;
        let ClusterStatus { name, cluster, .. } = &before;
        let what = format!("{name} will leave cluster {cluster} for good.");
        confirm(self.yes || before.departure.is_some(), &what)?;
        let mut status = client.leave().await?;
        let mut said = String::new();
        while status.departure.as_deref() != Some("left") {
            let waits = waits(&status);
            if waits != said && !self.remote.json {
                output::notice(&waits);
                said = waits;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            status = client.cluster().await?;
        }
        if self.remote.json {
            return output::json(&status);
        }
        output::line(format_args!("{name} has left; stop it now. The others have all that it had"))
    }
}

fn waits(status: &ClusterStatus) -> String {
    let members = status.peers.iter().filter(|peer| peer.standing.as_deref() == Some("joined"));
    let reachable: Vec<String> =
        members.filter(|peer| peer.reachable).map(|peer| status.called(peer.id)).collect();
    match reachable.as_slice() {
        [] => "no other member can be reached: waiting for one".to_owned(),
        some => format!("handing over to {}", some.join(", ")),
    }
}
