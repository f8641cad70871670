//! What the operator tells a node to do: to drain, to serve again, to leave, to give a member up.

use std::sync::Arc;

use kvs_client::{Duties, DutyOrder, DutyRequest};
use kvs_core::audit::{Event, Outcome, Subject};
use kvs_core::engine::{Input, Life};
use kvs_core::membership::State;
use kvs_core::{NodeId, Right};

use super::driver::Job;
use crate::audit::Notice;
use crate::cluster::Cluster;
use crate::duty::Departure;
use crate::node::Node;
use crate::peer::Refusal;

/// Does as it is told, and says how the node is then.
///
/// # Errors
///
/// It cannot be done; nothing is.
pub(super) async fn answer(node: &Arc<Node>, body: &[u8]) -> Result<Duties, Refusal> {
    let DutyRequest { node: meant, order, seeds } = serde_json::from_slice(body)
        .map_err(|error| Refusal::new(400, "malformed", error.to_string()))?;
    let me = node.identity().node.uuid();
    if meant.is_some_and(|meant| meant != me) {
        return Err(Refusal::new(409, "not-me", format!("this is node {me}")));
    }
    if let Some(cluster) = node.cluster().filter(|_| !seeds.is_empty()) {
        cluster.membership.hint(seeds).await;
    }
    if let Some(order) = order {
        tracing::debug!(?order, "the operator gives an order");
        let changes = changes(node, order);
        let obeyed = obey(node, order).await;
        if changes {
            note(node, obeyed.is_ok()).await;
        }
        obeyed?;
    }
    Ok(Duties {
        node: me,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        draining: node.duty().is_draining(),
        departure: node.duty().departure().map(|departure| departure.name().to_owned()),
    })
}

/// Whether an order is more than that all stays as it is. The operator says the same again and again.
fn changes(node: &Node, order: DutyOrder) -> bool {
    match order {
        DutyOrder::Drain => !node.duty().is_draining(),
        DutyOrder::Serve => node.duty().is_draining(),
        DutyOrder::Leave => node.duty().departure().is_none(),
        DutyOrder::Compare => false,
        DutyOrder::Found | DutyOrder::Forget(_) => true,
    }
}

/// Writes down what the operator did as an administrator.
async fn note(node: &Node, done: bool) {
    let (event, subject) = (Event::Admin(Right::UpdateCluster), Subject::Socket);
    let outcome = if done { Outcome::Done } else { Outcome::Failed };
    // If it cannot be recorded, that is counted and said, and undoes nothing.
    let _ = node.audit().record_durably(Notice { event, subject, record: None, outcome }).await;
}

async fn obey(node: &Arc<Node>, order: DutyOrder) -> Result<(), Refusal> {
    let Some(cluster) = node.cluster() else {
        return Err(Refusal::new(503, "stopping", "it is no member of a cluster yet"));
    };
    match order {
        DutyOrder::Drain => {
            tracing::info!("draining: no more requests, please");
            node.duty().set_draining(true);
        }
        DutyOrder::Serve => node.duty().set_draining(false),
        DutyOrder::Compare => cluster.engine.send(Job::Input(Input::CompareAll)).await,
        DutyOrder::Found => cluster.engine.send(Job::Input(Input::Found)).await,
        DutyOrder::Leave => leave(node, cluster).await?,
        DutyOrder::Forget(given_up) => forget(cluster, NodeId::new(given_up)).await?,
    }
    Ok(())
}

async fn leave(node: &Node, cluster: &Cluster) -> Result<(), Refusal> {
    if node.duty().departure() == Some(Departure::Left) {
        return Ok(());
    }
    let view = cluster.engine.view().await;
    let view = view.ok_or_else(|| Refusal::new(503, "stopping", "it is stopping"))?;
    let me = node.identity().node;
    if view.life == Life::Unborn || !view.members.counts(me) {
        return Err(Refusal::new(409, "not-member", "it is no member"));
    }
    if view.members.joined().all(|member| member.node == me) {
        return Err(Refusal::new(409, "only-member", "it is the only member"));
    }
    tracing::warn!("leaving the cluster for good: clients' writes are refused from here on");
    cluster.leave(node).await;
    Ok(())
}

async fn forget(cluster: &Cluster, given_up: NodeId) -> Result<(), Refusal> {
    let seen = cluster.membership.view();
    let mut seen = seen.members.iter();
    if seen.any(|seen| seen.member.node == given_up && seen.state != State::Down) {
        return Err(Refusal::new(409, "reachable", "it can be reached"));
    }
    tracing::warn!(node = %given_up, "a member is given up");
    let forgotten = cluster.forget(given_up).await;
    forgotten.map_err(|error| Refusal::new(409, "not-forgotten", error.to_string()))
}
