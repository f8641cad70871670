//! Whether the node lives, and whether it serves.

pub(super) mod describe;

use axum::body::Body;
use http::Response;
use kvs_client::{Health, JSON_CONTENT_TYPE};
use serde::Serialize;

use super::page::answer;
use super::{Answer, Call, Problem};
use crate::node::Node;

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
    if !call.node.has_caught_up() {
        return Err(Problem::Syncing);
    }
    Ok(json(&health(&call.node)))
}

/// `GET /health`: what the node is and does. Without accounts everybody may know its identity.
pub(super) fn state(call: &Call) -> Answer {
    call.query.finish(&[])?;
    let status = if call.node.stopping().is_cancelled() { "stopping" } else { "ok" };
    let node_id = Some(call.node.identity().node.uuid());
    Ok(json(&Health { status: status.to_owned(), node_id, ..health(&call.node) }))
}

fn health(node: &Node) -> Health {
    Health {
        status: "ok".to_owned(),
        mode: node.mode().name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node_id: None,
        members: None,
        convergence: None,
    }
}

fn json(body: &impl Serialize) -> Response<Body> {
    // Plain strings: nothing in them can fail to be written.
    answer(JSON_CONTENT_TYPE, serde_json::to_vec(body).unwrap_or_default())
}
