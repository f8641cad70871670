//! The cluster as this node shows it.

use std::collections::BTreeSet;

use kvs_client::{ClusterStatus, PeerStatus};
use kvs_core::NodeId;
use kvs_core::engine::{Life, PeerView, Stream, View};
use kvs_core::members::{self, Standing};
use uuid::Uuid;

use crate::membership;

/// What `GET /cluster` answers, apart from who answers.
pub fn describe(view: &View, reachable: &membership::View) -> ClusterStatus {
    let me = reachable.me.node;
    let met = view.peers.iter().map(peer);
    let known: BTreeSet<NodeId> = view.peers.iter().map(|peer| peer.node).collect();
    let unmet = view.members.iter().filter(|member| member.node != me);
    let unmet = unmet.filter(|member| !known.contains(&member.node)).map(stranger);
    ClusterStatus {
        cluster: Uuid::nil(),
        node: me.uuid(),
        life: life(view.life).to_owned(),
        filled: view.filled,
        root: None,
        records: None,
        held: view.held.millis().0,
        horizon: view.horizon.millis().0,
        horizon_held_by: view.last.map(NodeId::uuid),
        clock_ahead: view.clock_ahead,
        twin: reachable.twin.map(|twin| format!("{twin:?}")),
        peers: met.chain(unmet).collect(),
    }
}

fn peer(peer: &PeerView) -> PeerStatus {
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
        stream: stream.to_owned(),
        refusal: peer.refusal.as_ref().map(ToString::to_string).or(held),
        versions_behind: peer.behind,
        agreed: peer.agreed.map(|stamp| stamp.millis().0),
        agreed_age: peer.agreed_age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
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
        stream: "off".to_owned(),
        refusal: None,
        versions_behind: 0,
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
