//! The cluster as this node sees it, and what can be asked of it.

pub(super) mod admin;

use std::sync::Arc;

use http::Response;
use kvs_client::{ClusterStatus, JSON_CONTENT_TYPE, Member, Members};
use kvs_core::engine::Input;
use kvs_core::membership::State;
use serde::Serialize;
use utoipa::openapi::path::OperationBuilder;

use super::openapi::describe::Describe;
use super::page::answer;
use super::{Answer, Call, Problem};
use crate::cluster::{self, Cluster};
use crate::membership::SeenMember;
use crate::node::Node;
use crate::replication::driver::Job;

/// `GET /cluster`: who is how far.
pub(super) async fn status(call: Call) -> Answer {
    call.query.finish(&[])?;
    Ok(json(&of(&call.node).await?))
}

/// `POST /cluster/sync`: compares with everybody who can be reached, from now on.
pub(super) async fn sync(call: Call) -> Answer {
    call.query.finish(&[])?;
    let cluster = found(&call.node)?;
    // Before it is asked for: whoever waits for a comparison waits for one that begins later.
    let now = call.node.now().0;
    cluster.engine.send(Job::Input(Input::CompareAll)).await;
    Ok(json(&ClusterStatus { now, ..of(&call.node).await? }))
}

/// `GET /members/`: this node, and those that it knows.
pub(super) async fn members(call: Call) -> Answer {
    call.query.finish(&[])?;
    let mut members = vec![this_node(&call)];
    if let Some(cluster) = call.node.cluster() {
        let view = cluster.engine.view().await;
        let behind = |seen: &SeenMember| {
            let peers = view.as_ref().map(|view| view.peers.iter());
            peers?.find(|peer| peer.node == seen.member.node).map(|peer| peer.behind)
        };
        let seen = cluster.membership.view();
        members.extend(seen.members.iter().map(|seen| other(seen, behind(seen))));
    }
    members.sort_by(|left, right| (&left.name, left.id).cmp(&(&right.name, right.id)));
    Ok(json(&Members { members }))
}

/// How the cluster is.
pub(super) async fn of(node: &Arc<Node>) -> Result<ClusterStatus, Problem> {
    found(node)?;
    cluster::status(node).await?.ok_or(Problem::Stopping)
}

fn found(node: &Arc<Node>) -> Result<&Cluster, Problem> {
    match node.cluster() {
        Some(cluster) => Ok(cluster),
        None if node.life().is_some() => Err(Problem::NotReady("it waits for its cluster file")),
        None => Err(Problem::SwitchedOff { switch: "clustering_enabled" }),
    }
}

fn this_node(call: &Call) -> Member {
    let (settings, identity) = (call.node.settings(), call.node.identity());
    let address = call.shared.address.get().map_or_else(
        || format!("{}:{}", settings.bind_address, settings.port),
        ToString::to_string,
    );
    Member {
        id: identity.node.uuid(),
        name: call.node.name(),
        state: "alive".to_owned(),
        address,
        joined: identity.joined.0,
        last_seen: call.node.now().0,
        zone: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        versions_behind: None,
    }
}

fn other(seen: &SeenMember, versions_behind: Option<u64>) -> Member {
    let member = &seen.member;
    Member {
        id: member.node.uuid(),
        name: member.name.clone(),
        state: spelled(seen.state).to_owned(),
        address: member.client.to_string(),
        joined: member.joined.0,
        last_seen: seen.last_seen.0,
        zone: member.zone.clone(),
        version: member.release.clone(),
        versions_behind,
    }
}

const fn spelled(state: State) -> &'static str {
    match state {
        State::Alive => "alive",
        State::Suspect => "suspect",
        State::Down => "down",
    }
}

fn json(body: &impl Serialize) -> Response<axum::body::Body> {
    // Plain structs: nothing in them can fail to be written.
    answer(JSON_CONTENT_TYPE, serde_json::to_vec(body).unwrap_or_default())
}

/// What the API description says of `/cluster`.
pub(super) fn describe_status(operation: OperationBuilder) -> OperationBuilder {
    operation.answers::<ClusterStatus>(200, "Who is how far.").refuses(&[404, 503])
}

/// What the API description says of `/cluster/sync`.
pub(super) fn describe_sync(operation: OperationBuilder) -> OperationBuilder {
    let said = "How the cluster is as the comparisons begin.";
    operation.answers::<ClusterStatus>(200, said).refuses(&[403, 404, 503])
}
