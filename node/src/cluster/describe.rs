//! The cluster as this node shows it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kvs_client::{ClusterStatus, Convergence, PeerStatus};
use kvs_core::agreement;
use kvs_core::engine::{Life, PeerView, Stream, View};
use kvs_core::members::{self, Standing};
use kvs_core::{NodeId, Stamp};

use super::Cluster;
use crate::node::{Node, ReadError};
use crate::replication::Observed;
use crate::store::{Column, Store, StoreError, rows};

/// Dead records that are counted at most: who asks is not to wait.
const COUNTED_DEAD: u64 = 10_000;
/// How many comparisons may be missed before nodes no longer count as agreed.
const MISSED: u32 = 3;
/// What a comparison leaves out at its end, and what it may take.
const GRACE: Duration = Duration::from_secs(4);

/// What `GET /cluster` answers; nothing while the node is no member, or once it stops.
///
/// # Errors
///
/// The store cannot be read.
pub async fn status(node: &Arc<Node>) -> Result<Option<ClusterStatus>, ReadError> {
    let Some(cluster) = node.cluster() else { return Ok(None) };
    let counting = {
        let node = node.clone();
        tokio::task::spawn_blocking(move || count_dead(node.store(), Stamp::at(node.now())))
    };
    let dead_waiting = counting.await??;
    let view = cluster.engine.view().await;
    Ok(view.map(|view| ClusterStatus { dead_waiting, ..describe(node, cluster, &view) }))
}

fn count_dead(store: &dyn Store, now: Stamp) -> Result<u64, StoreError> {
    let mut dead = store.cursor(Column::Dies, &[], &rows::timed(now, &[]));
    let mut count = 0;
    while count < COUNTED_DEAD && dead.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Whether this node and every other member have agreed lately.
pub fn convergence(node: &Node, view: &View) -> Convergence {
    let lately = Duration::from(node.settings().sync_interval) * MISSED + GRACE;
    let me = node.identity().node;
    let agrees = |id: NodeId| {
        let peer = view.peers.iter().find(|peer| peer.node == id);
        peer.and_then(|peer| peer.agreed_age).is_some_and(|age| age <= lately)
    };
    let mut others = view.members.joined().filter(|member| member.node != me);
    if view.life == Life::Serving && others.all(|member| agrees(member.node)) {
        Convergence::Converged
    } else {
        Convergence::Converging
    }
}

fn describe(node: &Node, cluster: &Cluster, view: &View) -> ClusterStatus {
    let me = node.identity().node;
    let met = view.peers.iter().map(|met| peer(met, &cluster.observed, node.running()));
    let known: BTreeSet<NodeId> = view.peers.iter().map(|peer| peer.node).collect();
    let unmet = view.members.iter().filter(|member| member.node != me);
    let unmet = unmet.filter(|member| !known.contains(&member.node)).map(stranger);
    let root = node.digest().root();
    let twin = cluster.membership.view().twin;
    ClusterStatus {
        cluster: cluster.id,
        node: me.uuid(),
        name: node.name(),
        departure: node.duty().departure().map(|departure| departure.name().to_owned()),
        life: life(view.life).to_owned(),
        filled: view.filled,
        format: node.writer().format().number(),
        newest_format: node.newest_format().number(),
        root: root.map(|root| root.to_string()),
        records: root.map(|root| root.count.into()),
        now: node.now().0,
        held: view.held.millis().0,
        held_age: millis(agreement::lag(view.held, node.now())),
        horizon: view.horizon.millis().0,
        horizon_held_by: view.last.map(NodeId::uuid),
        dead_waiting: 0,
        clock_ahead: view.clock_ahead,
        twin: twin.map(|twin| format!("{twin:?}")),
        peers: met.chain(unmet).collect(),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn peer(peer: &PeerView, observed: &Observed, running: Duration) -> PeerStatus {
    let seen = observed.peer(peer.node);
    let (stream, held) = match &peer.stream {
        Stream::Off => ("off", None),
        Stream::Open => ("open", None),
        Stream::Held(refusal) => ("held", Some(refusal.to_string())),
    };
    PeerStatus {
        id: peer.node.uuid(),
        name: peer.name.clone(),
        standing: peer.standing.map(|standing| spelled(standing).to_owned()),
        reachable: peer.reachable,
        life: peer.life.map(|at| life(at).to_owned()),
        newest_format: peer.newest_format,
        stream: stream.to_owned(),
        refusal: peer.refusal.as_ref().map(ToString::to_string).or(held),
        versions_behind: peer.behind,
        bytes_behind: peer.bytes_behind,
        complete_age: seen.complete_at.map(|at| millis(running.saturating_sub(at))),
        compared: seen.compared.map(|at| at.0),
        last_repair: seen.last_repair,
        agreed: peer.agreed.map(|stamp| stamp.millis().0),
        agreed_age: peer.agreed_age.map(millis),
        clock_offset: peer.offset,
    }
}

/// A member that was not met since this node started.
fn stranger(member: &members::Member) -> PeerStatus {
    PeerStatus {
        id: member.node.uuid(),
        name: Some(member.name.clone()),
        standing: Some(spelled(member.standing).to_owned()),
        reachable: false,
        life: None,
        newest_format: None,
        stream: "off".to_owned(),
        refusal: None,
        versions_behind: 0,
        bytes_behind: 0,
        complete_age: None,
        compared: None,
        last_repair: None,
        agreed: None,
        agreed_age: None,
        clock_offset: None,
    }
}

/// Where a node is in its life, as the API spells it.
pub const fn life(life: Life) -> &'static str {
    match life {
        Life::Unborn => "unborn",
        Life::Filling => "filling",
        Life::CatchingUp => "catching-up",
        Life::Serving => "serving",
    }
}

const fn spelled(standing: Standing) -> &'static str {
    match standing {
        Standing::Joined => "joined",
        Standing::Left => "left",
        Standing::Forgotten => "forgotten",
    }
}
