//! `kvs cluster status`: who is how far.

use clap::Args;
use kvs_client::{ClusterStatus, PeerStatus};
use uuid::Uuid;

use crate::cli::output::{self, Table};
use crate::cli::remote::Remote;
use crate::cli::{Done, time};
use crate::config::Environment;

/// How many dead records are counted.
const COUNTED_DEAD: u64 = 10_000;

/// Show the cluster as one node sees it: who is how far, and why somebody is not.
///
/// STATE: whether the node can be reached. LIFE: serving, or how far it is on its way to it. LAG:
/// writes that it accepted and that are not here yet. AGREED: when the two were last known to hold
/// the same. CLOCK: how far its clock is from this node's. NOTE: why the two do not talk, or why
/// what it accepted is not taken.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs cluster status
  kvs cluster status --server http://127.0.0.1:8082 --json")]
pub(super) struct Status {
    #[command(flatten)]
    remote: Remote,
}

impl Status {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let status = self.remote.client(environment)?.cluster().await?;
        if self.remote.json {
            return output::json(&status);
        }
        lines(&status).into_iter().try_for_each(output::line)?;
        output::line("")?;
        table(&status).print()
    }
}

/// What is so of the cluster and of the node that was asked.
fn lines(status: &ClusterStatus) -> Vec<String> {
    let ClusterStatus { cluster, name, node, .. } = status;
    let mut lines = vec![
        format!("Cluster {cluster}, as {name} ({node}) sees it"),
        format!("{name} {}", state(status)),
        match status.held {
            0 => format!("{name} has not agreed with every other member yet"),
            _ => format!("{name} agreed with every other member {}", ago(status.held_age)),
        },
        dead(status),
    ];
    let limit_of_haste = 1_000;
    if status.clock_ahead > limit_of_haste {
        lines.push(format!("! the clock of {name} is {} ms ahead", status.clock_ahead));
    }
    if let Some(twin) = &status.twin {
        lines.push(format!(
            "! another process runs under the id of {name}: {twin}; stop one of the two, and \
             `kvs reset-identity` it"
        ));
    }
    lines
}

fn state(status: &ClusterStatus) -> String {
    let records = status.records.map_or_else(String::new, |count| format!(", {count} records"));
    let root = status.root.as_ref().map_or_else(String::new, |root| format!(", digest {root}"));
    format!("is {}{records}{root}", own_life(status))
}

fn own_life(status: &ClusterStatus) -> String {
    match (&status.departure, status.filled) {
        (Some(departure), _) if departure == "left" => "no member any more: it left".to_owned(),
        (Some(departure), _) => departure.clone(),
        (None, Some(share)) => format!("being filled: {:.0} % have come", share * 100.0),
        (None, None) => status.life.clone(),
    }
}

fn dead(status: &ClusterStatus) -> String {
    let count = match status.dead_waiting {
        count if count >= COUNTED_DEAD => format!("{count} or more"),
        count => count.to_string(),
    };
    let held_by = status.horizon_held_by.filter(|_| status.dead_waiting > 0);
    let by = held_by.map(|id| format!("; the furthest behind is {}", called(status, id)));
    format!(
        "Deleted and expired records that are still remembered: {count}{}",
        by.unwrap_or_default()
    )
}

fn called(status: &ClusterStatus, id: Uuid) -> String {
    let peer = status.peers.iter().find(|peer| peer.id == id).and_then(|peer| peer.name.clone());
    let own = (id == status.node).then(|| status.name.clone());
    own.or(peer).unwrap_or_else(|| id.to_string())
}

fn table(status: &ClusterStatus) -> Table {
    let mut table = Table::new(["NODE", "STATE", "LIFE", "LAG", "AGREED", "CLOCK", "NOTE"]);
    let none = || "-".to_owned();
    let (name, life) = (status.name.clone(), own_life(status));
    table.row([name, "this node".to_owned(), life, none(), none(), none(), String::new()]);
    for peer in &status.peers {
        table.row(row(peer));
    }
    table
}

fn row(peer: &PeerStatus) -> [String; 7] {
    let none = || "-".to_owned();
    [
        peer.name.clone().unwrap_or_else(|| peer.id.to_string()),
        standing(peer),
        peer.life.clone().unwrap_or_else(none),
        if is_gone(peer) { none() } else { lag(peer) },
        peer.agreed_age.map_or_else(none, ago),
        peer.clock_offset.filter(|_| peer.reachable).map_or_else(none, |ms| format!("{ms:+} ms")),
        peer.refusal.clone().unwrap_or_default(),
    ]
}

fn is_gone(peer: &PeerStatus) -> bool {
    matches!(peer.standing.as_deref(), Some("left" | "forgotten"))
}

fn standing(peer: &PeerStatus) -> String {
    let reach = if peer.reachable { "up" } else { "away" };
    match peer.standing.as_deref() {
        Some("joined") => reach.to_owned(),
        Some(gone) => gone.to_owned(),
        None => format!("{reach}, no member"),
    }
}

/// What another node accepted and is not here, as far as that is known.
pub(in crate::cli) fn lag(peer: &PeerStatus) -> String {
    let since = peer.complete_age.map(|age| time::span(age / 1_000));
    let size = size(peer.bytes_behind);
    match (peer.versions_behind, peer.stream.as_str(), since) {
        (0, "open", _) => "none".to_owned(),
        (0, _, Some(since)) => format!("unknown for {since}"),
        (0, _, None) => "unknown".to_owned(),
        (count, _, Some(since)) => format!("{count} writes{size}, {since}"),
        (count, _, None) => format!("{count} writes{size}"),
    }
}

/// How many bytes wait, behind a number of writes.
fn size(bytes: u64) -> String {
    match bytes {
        0 => String::new(),
        1..1_024 => format!(" of {bytes} B or more"),
        _ => format!(" of {} KiB or more", bytes / 1_024),
    }
}

/// A span that has passed, in milliseconds.
fn ago(millis: u64) -> String {
    format!("{} ago", time::span(millis / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(stream: &str, versions_behind: u64, complete_age: Option<u64>) -> PeerStatus {
        PeerStatus {
            id: Uuid::nil(),
            name: None,
            standing: Some("joined".to_owned()),
            reachable: false,
            life: None,
            newest_format: None,
            stream: stream.to_owned(),
            refusal: None,
            versions_behind,
            bytes_behind: versions_behind * 1_024,
            complete_age,
            compared: None,
            last_repair: None,
            agreed: None,
            agreed_age: None,
            clock_offset: None,
        }
    }

    #[test]
    fn lag_is_none_only_while_the_writes_come_as_they_happen() {
        assert_eq!(lag(&peer("open", 0, Some(900))), "none");
        assert_eq!(lag(&peer("open", 7, Some(2_000))), "7 writes of 7 KiB or more, 2s");
        assert_eq!(lag(&peer("off", 0, Some(61_000))), "unknown for 1m 1s");
        assert_eq!(lag(&peer("off", 0, None)), "unknown");
    }
}
