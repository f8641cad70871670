//! What a person tells a node to do: its mode, to drain, to leave, to give a member up.

use std::time::Duration;

use kvs_client::{ClusterStatus, Drained, ForgetRequest, Health, ModeRequest, NodeMode};
use kvs_core::NodeId;
use kvs_core::engine::{Life, View};
use kvs_core::members::Member;
use kvs_core::membership::State;
use utoipa::openapi::path::OperationBuilder;
use uuid::Uuid;

use super::{found, json, of};
use crate::cluster::Cluster;
use crate::http::openapi::describe::Describe;
use crate::http::problem::NotForgotten;
use crate::http::{Answer, Call, Problem, body, health};

/// How long a node tries to send what it accepted to another one.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);

/// `POST /cluster/mode`: takes clients' writes or refuses them.
pub(in crate::http) async fn mode(call: Call) -> Answer {
    call.query.finish(&[])?;
    body::expect_json(&call, &[], "application/json")?;
    let ModeRequest { mode } = body::read(&call)?;
    call.node.set_read_only(mode == NodeMode::ReadOnly).await?;
    tracing::info!(mode = call.node.mode().name(), "told its mode");
    health::state(call).await
}

/// `POST /cluster/drain`: asks for no more requests, and sends what was accepted to another node.
pub(in crate::http) async fn drain(call: Call) -> Answer {
    call.query.finish(&[])?;
    call.node.duty().set_draining(true);
    tracing::info!("draining: no more requests, please");
    let others = call.node.cluster().filter(|cluster| !cluster.is_alone());
    let to = match others {
        Some(cluster) => cluster.flush(&call.node, FLUSH_WITHIN).await,
        None => None,
    };
    Ok(json(&Drained { flushed: to.is_some(), to: to.map(NodeId::uuid) }))
}

/// `POST /cluster/leave`: begins to leave for good.
pub(in crate::http) async fn leave(call: Call) -> Answer {
    call.query.finish(&[])?;
    let cluster = found(&call.node)?;
    let view = view(cluster).await?;
    if call.node.duty().departure().is_none() {
        let me = call.node.identity().node;
        if view.life == Life::Unborn || !view.members.counts(me) {
            return Err(Problem::NotMember);
        }
        if view.members.joined().all(|member| member.node == me) {
            return Err(Problem::OnlyMember);
        }
        tracing::warn!("leaving the cluster for good: clients' writes are refused from here on");
        cluster.leave(&call.node).await;
    }
    Ok(json(&of(&call.node).await?))
}

/// `POST /cluster/forget`: gives a member up.
pub(in crate::http) async fn forget(call: Call) -> Answer {
    call.query.finish(&[])?;
    body::expect_json(&call, &[], "application/json")?;
    let ForgetRequest { node } = body::read(&call)?;
    let cluster = found(&call.node)?;
    let member = named(&view(cluster).await?, &node)?;
    if member.node == call.node.identity().node {
        return Err(NotForgotten::Itself.into());
    }
    let reachable = cluster.membership.view();
    let seen = reachable.members.iter().find(|seen| seen.member.node == member.node);
    if seen.is_some_and(|seen| seen.state != State::Down) {
        return Err(NotForgotten::Reachable(member.name).into());
    }
    cluster.forget(member.node).await?;
    tracing::warn!(node = %member.node, name = member.name, "a member was given up");
    Ok(json(&of(&call.node).await?))
}

/// `POST /cluster/upgrade`: has the cluster write in the next format.
pub(in crate::http) async fn upgrade(call: Call) -> Answer {
    call.query.finish(&[])?;
    let format = found(&call.node)?.upgrade().await?;
    tracing::info!(format = format.number(), "the format that the cluster writes in");
    Ok(json(&of(&call.node).await?))
}

async fn view(cluster: &Cluster) -> Result<View, Problem> {
    cluster.engine.view().await.ok_or(Problem::Stopping)
}

/// The member of this id, or, among those that count, of this name.
fn named(view: &View, name: &str) -> Result<Member, NotForgotten> {
    let id = Uuid::parse_str(name).ok().map(NodeId::new);
    if let Some(member) = id.and_then(|id| view.members.get(id)) {
        return Ok(member.clone());
    }
    let joined = view.members.joined().filter(|member| member.name == name);
    match joined.collect::<Vec<_>>().as_slice() {
        [] => Err(NotForgotten::Unknown(name.to_owned())),
        [one] => Ok((*one).clone()),
        several => {
            let ids: Vec<String> = several.iter().map(|one| one.node.to_string()).collect();
            Err(NotForgotten::Ambiguous { name: name.to_owned(), ids: ids.join(", ") })
        }
    }
}

/// What the API description says of `/cluster/mode`.
pub(in crate::http) fn describe_mode(operation: OperationBuilder) -> OperationBuilder {
    let said = "What the node is and does from now on, after a restart too.";
    let operation = operation.takes_json::<ModeRequest>();
    operation.answers::<Health>(200, said).refuses(&[409, 422, 503])
}

/// What the API description says of `/cluster/drain`.
pub(in crate::http) fn describe_drain(operation: OperationBuilder) -> OperationBuilder {
    let said = "`/readyz` says 503 from now on, until the node restarts or is told the mode \
                `normal`. It goes on answering.";
    operation.answers::<Drained>(200, said)
}

/// What the API description says of `/cluster/leave`.
pub(in crate::http) fn describe_leave(operation: OperationBuilder) -> OperationBuilder {
    let said = "The node refuses clients' writes. `departure` becomes `left` once all members that \
                can be reached have all that it had.";
    operation.answers::<ClusterStatus>(200, said).refuses(&[404, 409, 503])
}

/// What the API description says of `/cluster/forget`.
pub(in crate::http) fn describe_forget(operation: OperationBuilder) -> OperationBuilder {
    let said = "The member does not count any more. What it alone had is lost to the cluster.";
    let operation = operation.takes_json::<ForgetRequest>();
    operation.answers::<ClusterStatus>(200, said).refuses(&[404, 409, 422, 503])
}

/// What the API description says of `/cluster/upgrade`.
pub(in crate::http) fn describe_upgrade(operation: OperationBuilder) -> OperationBuilder {
    let said = "`format` is the one that is in force. Where it was the newest already, nothing \
                changed.";
    operation.answers::<ClusterStatus>(200, said).refuses(&[404, 409, 503])
}
