//! `kvs cluster sync`: one comparison with every other node, seen from outside.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use kvs_client::{Client, ClusterStatus, PeerStatus, Repair};
use kvs_core::UnixMillis;
use kvs_core::sync::IN_FLIGHT;
use serde::Serialize;
use uuid::Uuid;

use crate::cli::remote::Remote;
use crate::cli::{Done, Failure, output};
use crate::config::Environment;
use crate::time::monotonic;

/// How often it is looked how far the comparisons are.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long one round may take, unless told to wait.
const PATIENCE: Duration = Duration::from_mins(1);

/// Compare a node with all others now, repair what differs, and show it.
///
/// Nodes do this by themselves every `sync_interval`. It shows what differed from each node that can
/// be reached; exit code 1 if a comparison was not completed within a minute. With --wait it goes on
/// until every member has agreed, also those that are away.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs cluster sync
  kvs cluster sync --wait        before something that all members must be equal for")]
pub(super) struct Sync {
    /// Wait until every member has agreed, however long that takes
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    remote: Remote,
}

/// What is said of a comparison.
#[derive(Debug, Serialize)]
struct Line {
    node: Uuid,
    /// What it is called, and its id where that is no name of its own.
    name: String,
    /// `equal`, `repaired`, or why there was no comparison.
    outcome: String,
    #[serde(flatten)]
    repair: Option<Repair>,
}

impl Sync {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let began = client.sync().await?;
        let mut waiting: BTreeSet<Uuid> =
            began.peers.iter().filter(|peer| self.concerns(peer)).map(|peer| peer.id).collect();
        if waiting.is_empty() {
            output::notice("there is no other member to compare with");
        }
        let deadline = monotonic() + PATIENCE;
        while !waiting.is_empty() {
            let status = client.cluster().await?;
            self.say(&status, began.now, &mut waiting)?;
            if !self.wait && !waiting.is_empty() && monotonic() > deadline {
                return Err(unfinished(&status, &waiting));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.say_unreached(&client).await
    }

    fn concerns(&self, peer: &PeerStatus) -> bool {
        peer.standing.as_deref() == Some("joined") && (self.wait || peer.reachable)
    }

    /// Says what came of the comparisons that have ended, and waits for them no more.
    fn say(&self, status: &ClusterStatus, began: u64, waiting: &mut BTreeSet<Uuid>) -> Done {
        for peer in &status.peers {
            let line = line(status, peer, began).filter(|_| waiting.contains(&peer.id));
            let refused = (!self.wait).then(|| refused(status, peer)).flatten();
            let Some(line) = line.or(refused.filter(|_| waiting.contains(&peer.id))) else {
                continue;
            };
            waiting.remove(&peer.id);
            self.print(&line)?;
        }
        // Who went away for good is not waited for.
        let joined = |id: &Uuid| {
            let peer = status.peers.iter().find(|peer| peer.id == *id);
            peer.is_some_and(|peer| self.concerns(peer))
        };
        waiting.retain(joined);
        Ok(())
    }

    /// Names the members that were left out, being away.
    async fn say_unreached(&self, client: &Client) -> Done {
        let status = client.cluster().await?;
        let away = |peer: &&PeerStatus| {
            peer.standing.as_deref() == Some("joined") && !peer.reachable && !self.wait
        };
        status.peers.iter().filter(away).try_for_each(|peer| {
            let outcome = "cannot be reached".to_owned();
            self.print(&Line { node: peer.id, name: status.called(peer.id), outcome, repair: None })
        })
    }

    fn print(&self, line: &Line) -> Done {
        if self.remote.json {
            return output::json(line);
        }
        let name = &line.name;
        match &line.repair {
            Some(Repair { differing, pushed, fetched, .. }) => output::line(format_args!(
                "{name}: {differing} records differed; {pushed} given, {fetched} taken"
            )),
            None => output::line(format_args!("{name}: {}", line.outcome)),
        }
    }
}

/// What came of the comparison with a node, once it has ended.
fn line(status: &ClusterStatus, peer: &PeerStatus, began: u64) -> Option<Line> {
    let compared = peer.compared.is_some_and(|compared| compared >= began);
    // Who compared itself with this node meanwhile has proven the same.
    let proven = peer.agreed.is_some_and(|agreed| UnixMillis(agreed).after(IN_FLIGHT).0 >= began);
    if !compared && !proven {
        return None;
    }
    let repair = peer.last_repair.filter(|repair| repair.at >= began);
    let outcome = if repair.is_some() { "repaired" } else { "equal" };
    Some(Line { node: peer.id, name: status.called(peer.id), outcome: outcome.to_owned(), repair })
}

fn refused(status: &ClusterStatus, peer: &PeerStatus) -> Option<Line> {
    let outcome = peer.refusal.clone()?;
    Some(Line { node: peer.id, name: status.called(peer.id), outcome, repair: None })
}

fn unfinished(status: &ClusterStatus, waiting: &BTreeSet<Uuid>) -> Failure {
    let names: Vec<String> = waiting.iter().map(|id| status.called(*id)).collect();
    let seconds = PATIENCE.as_secs();
    Failure::new(format!(
        "no comparison was completed within {seconds}s with {}; see `kvs cluster status`",
        names.join(", ")
    ))
}
