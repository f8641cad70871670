//! Whether the node lives, and whether it serves.

pub(super) mod describe;

use std::time::Duration;

use axum::body::Body;
use http::Response;
use kvs_client::{Health, JSON_CONTENT_TYPE};
use kvs_core::Right;
use serde::Serialize;

use super::page::answer;
use super::{Answer, Call, Problem};
use crate::cluster;
use crate::duty::Departure;
use crate::node::Node;

/// How long replication may take to say how it is: who asks for health is not to wait.
const PATIENCE: Duration = Duration::from_secs(1);

/// `GET /livez`: this process answers. Says nothing of anything else, so that nobody restarts a
/// node for what a restart does not mend.
pub(super) fn live(call: &Call) -> Answer {
    call.query.finish(&[])?;
    Ok(json(&health(&call.node)))
}

/// `GET /readyz`: requests are welcome.
pub(super) fn ready(call: &Call) -> Answer {
    call.query.finish(&[])?;
    if call.node.stopping().is_cancelled() {
        return Err(Problem::NotReady("it is stopping"));
    }
    if call.node.writer().has_ended() {
        return Err(Problem::NotReady("its writer has ended"));
    }
    if let Some(departure) = call.node.duty().departure() {
        return Err(Problem::Departing(departure));
    }
    if call.node.duty().is_draining() {
        return Err(Problem::NotReady("it is draining"));
    }
    if !call.node.has_caught_up() {
        return Err(Problem::Syncing);
    }
    if call.node.settings().auth_enabled && !call.node.accounts().is_ready() {
        return Err(Problem::AccountsNotKnown);
    }
    Ok(json(&health(&call.node)))
}

/// `GET /health`: what the node is and does. Who may not read the cluster learns nothing of it.
pub(super) async fn state(call: Call) -> Answer {
    call.query.finish(&[])?;
    let node = &call.node;
    if node.settings().auth_enabled && !call.caller.permits(Right::ReadCluster) {
        return Ok(json(&Health { status: status(node).to_owned(), ..health(node) }));
    }
    let node_id = Some(node.identity().node.uuid());
    let view = match node.cluster() {
        Some(cluster) => tokio::time::timeout(PATIENCE, cluster.engine.view()).await.ok().flatten(),
        None => None,
    };
    let view = view.as_ref();
    Ok(json(&Health {
        status: status(node).to_owned(),
        node_id,
        members: view.map(|view| view.members.joined().count() as u64),
        convergence: view.map(|view| cluster::convergence(node, view)),
        filled: view.and_then(|view| view.filled),
        ..health(node)
    }))
}

fn status(node: &Node) -> &'static str {
    if node.stopping().is_cancelled() {
        return "stopping";
    }
    let draining = node.duty().is_draining().then_some("draining");
    node.duty().departure().map(Departure::name).or(draining).unwrap_or("ok")
}

fn health(node: &Node) -> Health {
    Health {
        status: "ok".to_owned(),
        mode: node.mode().name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node_id: None,
        members: None,
        convergence: None,
        filled: None,
    }
}

fn json(body: &impl Serialize) -> Response<Body> {
    // Plain strings: nothing in them can fail to be written.
    answer(JSON_CONTENT_TYPE, serde_json::to_vec(body).unwrap_or_default())
}
