//! Figures of the node's part in its cluster.

use std::fmt;

use kvs_client::{ClusterStatus, PeerStatus};
use kvs_core::engine::Life;

use super::figures::{BYTES, Figures, SECONDS, load};
use super::scrape::Scrape;
use crate::cluster::{Cluster, life};
use crate::membership;
use crate::peer::{PeerFigures, PeerRoute, RefusalReason};
use crate::replication;

/// Peers that are told of, each in a few lines: what grows with the cluster has an end.
const PEERS: usize = 1_000;
/// Of a peer's name, which is whatever that peer says.
const NAME_LENGTH: usize = 64;

/// What the rows of a peer are labelled with: its id tells it apart, its name is for people.
struct Labels {
    peer: String,
    name: String,
}

impl Scrape {
    pub(super) fn cluster(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let Some(current) = self.node.life() else { return Ok(()) };
        let lives = [Life::Unborn, Life::Filling, Life::CatchingUp, Life::Serving].map(life);
        figures.state("life", "1 for where the node is in its life", lives, life(current))?;
        if let Some(status) = &self.cluster {
            self.agreement(status, figures)?;
            peers(status, figures)?;
        }
        self.node.cluster().map_or(Ok(()), |cluster| traffic(cluster, figures))
    }

    fn agreement(&self, status: &ClusterStatus, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let now = self.node.now().0;
        for (name, help, stamp) in [
            ("held_age", "Age of the point up to which this node holds everything", status.held),
            ("horizon_age", "Age of the point up to which the dead are forgotten", status.horizon),
        ] {
            // Before the first agreement there is no such point.
            if stamp > 0 {
                figures.gauge(name, help, SECONDS, &seconds(now.saturating_sub(stamp)))?;
            }
        }
        let joined = status.peers.iter().filter(|peer| is_member(peer)).count() as u64;
        let help = "Members of the cluster, this node and those that cannot be reached included";
        figures.gauge("members", help, None, &(joined + 1))?;
        let help = "Of what an empty node is sent, the share that has come";
        let whole = if status.life == life(Life::Unborn) { 0.0 } else { 1.0 };
        figures.gauge("bootstrap_ratio", help, None, &status.filled.unwrap_or(whole))?;
        if let Some(records) = status.records {
            let help = "Records in the digest tree, deleted ones that are remembered included";
            figures.gauge("digest_records", help, None, &records)?;
        }
        let help = "How far this node's clock is ahead of its peers'";
        figures.gauge("clock_ahead", help, SECONDS, &signed_seconds(status.clock_ahead))?;
        let twin = u64::from(status.twin.is_some());
        figures.gauge("twin", "1 while another process runs under this node's id", None, &twin)
    }
}

/// Of each peer: whether it can be reached, and how far it and this node are apart.
fn peers(status: &ClusterStatus, figures: &mut Figures<'_, '_>) -> fmt::Result {
    let shown = status.peers.iter().filter(|peer| peer.reachable || is_member(peer)).take(PEERS);
    let all: Vec<(Labels, &PeerStatus)> = shown.map(|peer| (Labels::of(peer), peer)).collect();
    let reachable = all.iter().map(|(of, peer)| (of.set(), u64::from(peer.reachable)));
    figures.gauges("peer_reachable", "1 for a peer that can be reached", None, reachable)?;
    let behind = all.iter().map(|(of, peer)| (of.set(), peer.versions_behind));
    let help = "Positions of a peer's log that have not come yet: at least as many as versions";
    figures.gauges("peer_versions_behind", help, None, behind)?;
    let behind = all.iter().map(|(of, peer)| (of.set(), peer.bytes_behind));
    let help = "Bytes of a peer's writes that have not come yet, as far as it has them in memory";
    figures.gauges("peer_behind", help, BYTES, behind)?;
    let agreed = all.iter().filter_map(|(of, peer)| Some((of.set(), seconds(peer.agreed_age?))));
    let help = "Age of the point up to which this node and a peer hold the same";
    figures.gauges("peer_agreed_age", help, SECONDS, agreed)?;
    let offset =
        all.iter().filter_map(|(of, peer)| Some((of.set(), signed_seconds(peer.clock_offset?))));
    let help = "How far a peer's clock is ahead of this node's";
    figures.gauges("peer_clock_offset", help, SECONDS, offset)?;
    let refused = all.iter().map(|(of, peer)| (of.set(), u64::from(peer.refusal.is_some())));
    let help = "1 while a peer and this node do not talk, or its writes are not taken";
    figures.gauges("peer_refused", help, None, refused)?;
    let streams = all.iter().flat_map(|(of, peer)| {
        ["off", "open", "held"].map(|state| (of.and_state(state), u64::from(peer.stream == state)))
    });
    figures.gauges("peer_stream", "1 for how a peer's log is followed", None, streams)
}

fn traffic(cluster: &Cluster, figures: &mut Figures<'_, '_>) -> fmt::Result {
    peer_port(&cluster.figures, figures)?;
    gossip(cluster.membership.figures(), figures)?;
    repairs(&cluster.replication, figures)
}

/// The port for peers, both of what others ask here and of what this node asks elsewhere.
fn peer_port(of: &PeerFigures, figures: &mut Figures<'_, '_>) -> fmt::Result {
    let both = |route: PeerRoute, came: u64, went: u64| {
        let labels = |direction| [("route", route.name()), ("direction", direction)];
        [(labels("in"), came), (labels("out"), went)]
    };
    let bytes = PeerRoute::all()
        .flat_map(|route| both(route, of.route_bytes_in(route), of.route_bytes_out(route)));
    let help = "Bodies between nodes, without framing and TLS";
    figures.counters("peer", help, BYTES, bytes)?;
    let requests =
        PeerRoute::all().flat_map(|route| both(route, of.answered(route), of.asked(route)));
    figures.counters("peer_requests", "Requests between nodes", None, requests)?;
    let refusals = RefusalReason::ALL.map(|why| ([("reason", why.name())], of.refusals(why)));
    let help = "Connections and requests that the port for peers turned away";
    figures.counters("peer_refusals", help, None, refusals)?;
    let open = directions(of.connections(), of.links());
    figures.gauges("peer_connections", "Connections between nodes that are open", None, open)
}

fn gossip(of: &membership::Figures, figures: &mut Figures<'_, '_>) -> fmt::Result {
    let datagrams = directions(load(&of.datagrams_in), load(&of.datagrams_out));
    figures.counters("gossip_datagrams", "Datagrams between nodes", None, datagrams)?;
    let bytes = directions(load(&of.bytes_in), load(&of.bytes_out));
    figures.counters("gossip", "Datagrams between nodes, without IP and UDP", BYTES, bytes)?;
    let help = "Datagrams that the system would not send";
    figures.counter("gossip_unsent", help, load(&of.unsent))?;
    let refusals = membership::Refusal::ALL.map(|why| ([("reason", why.name())], of.refused(why)));
    figures.counters("gossip_refusals", "Datagrams without effect", None, refusals)
}

/// Comparisons that this node began: what peers begin is in their figures.
fn repairs(of: &replication::Figures, figures: &mut Figures<'_, '_>) -> fmt::Result {
    let help = "Comparisons with peers after which both held the same";
    figures.counter("comparisons", help, load(&of.comparisons))?;
    let help = "Records that differed in comparisons";
    figures.counter("comparison_differences", help, load(&of.differing))?;
    let repaired = directions(load(&of.fetched), load(&of.pushed));
    let help = "Versions that comparisons brought from peers and to them";
    figures.counters("repaired_versions", help, None, repaired)
}

impl Labels {
    fn of(peer: &PeerStatus) -> Self {
        let name = peer.name.iter().flat_map(|name| name.chars());
        Self { peer: peer.id.to_string(), name: name.take(NAME_LENGTH).collect() }
    }

    fn set(&self) -> [(&'static str, &str); 2] {
        [("peer", &self.peer), ("name", &self.name)]
    }

    fn and_state<'a>(&'a self, state: &'a str) -> [(&'static str, &'a str); 3] {
        let [peer, name] = self.set();
        [peer, name, ("state", state)]
    }
}

pub(super) fn is_member(peer: &PeerStatus) -> bool {
    peer.standing.as_deref() == Some("joined")
}

const fn directions<T>(came: T, went: T) -> [([(&'static str, &'static str); 1], T); 2] {
    [([("direction", "in")], came), ([("direction", "out")], went)]
}

/// Of milliseconds.
#[expect(clippy::cast_precision_loss, reason = "as milliseconds, 2^53 are 285,000 years")]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "as milliseconds, 2^53 are 285,000 years")]
fn signed_seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}
