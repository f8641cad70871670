//! Answering peers.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use kvs_client::ClusterFile;
use kvs_core::NodeId;
use kvs_core::engine::serve as serve_from_store;
use kvs_core::membership::Member;
use kvs_core::wire::{Answer, Question, Refusal, Route};
use tokio::sync::{oneshot, watch};

use super::driver::Job;
use super::{EngineHandle, NodeHost, Observed, follow};
use crate::audit;
use crate::cluster;
use crate::http::relay;
use crate::membership::Membership;
use crate::node::Node;
use crate::peer::{self, PeerAnswer, PeerCaller, PeerHandler, PeerRole, PeerRoute};

/// What answers peers.
#[derive(Debug)]
pub struct Handler {
    /// The node.
    pub node: Arc<Node>,
    /// Its engine.
    pub engine: EngineHandle,
    /// Who can be reached.
    pub membership: Membership,
    /// What is seen of replication.
    pub observed: Arc<Observed>,
    /// The cluster file, if this node may hand it to others on this machine.
    pub birth: Option<watch::Receiver<ClusterFile>>,
}

impl PeerHandler for Handler {
    fn handle(
        &self,
        caller: PeerCaller,
        route: PeerRoute,
        body: Bytes,
    ) -> BoxFuture<'_, PeerAnswer> {
        Box::pin(async move {
            let answered = match (route, caller.role) {
                (PeerRoute::Birth, _) => self.birth(),
                (PeerRoute::Members, PeerRole::Node(node)) => self.members(node, &body).await,
                (PeerRoute::Status, _) => self.status().await,
                (PeerRoute::Audit, _) => self.audit(&body).await,
                (PeerRoute::Duty, PeerRole::Operator(_)) => {
                    super::duties::answer(&self.node, &body).await.map(|duties| json(&duties))
                }
                (PeerRoute::Relay, PeerRole::Operator(name)) => self.relay(name, &body).await,
                (PeerRoute::Stream, PeerRole::Node(node)) => self.followed(node, &body),
                (route, PeerRole::Node(node)) => self.question(node, route, &body).await,
                _ => Err(peer::Refusal::new(403, "not-a-node", "this is for nodes")),
            };
            answered.unwrap_or_else(PeerAnswer::Refused)
        })
    }
}

type Answered = Result<PeerAnswer, peer::Refusal>;

impl Handler {
    fn followed(&self, by: NodeId, body: &[u8]) -> Answered {
        let (standing, follower) = (self.engine.standing(), self.observed.follower(by));
        follow::followed(self.node.clone(), standing, follower, body).map(PeerAnswer::Stream)
    }

    /// Gives the cluster file to a node on this machine that has none.
    fn birth(&self) -> Answered {
        let file = self.birth.as_ref().ok_or_else(|| {
            let why = "its cluster file was given to it by hand; give it to the new node likewise";
            peer::Refusal::new(403, "no-birth", why)
        })?;
        tracing::info!("the cluster file was handed to a new node on this machine");
        Ok(PeerAnswer::Bytes(file.borrow().to_text().into()))
    }

    async fn members(&self, node: NodeId, body: &[u8]) -> Answered {
        let member: Member = serde_json::from_slice(body)
            .map_err(|error| peer::Refusal::new(400, "malformed", error.to_string()))?;
        if member.node != node {
            return Err(peer::Refusal::new(403, "not-yourself", "introduce yourself, not another"));
        }
        self.membership.met(member).await;
        Ok(json(&self.membership.view().introductions))
    }

    async fn status(&self) -> Answered {
        let status = cluster::status(&self.node).await.map_err(|error| {
            tracing::error!(%error, "the cluster's state cannot be read");
            peer::Refusal::new(500, "failed", "its store cannot be read")
        })?;
        Ok(json(&status.ok_or_else(stopping)?))
    }

    /// Shows the head of the tamper-evident log.
    async fn audit(&self, body: &[u8]) -> Answered {
        let question: audit::exchange::Question = serde_json::from_slice(body)
            .map_err(|error| peer::Refusal::new(400, "malformed", error.to_string()))?;
        let node = self.node.clone();
        let answering =
            tokio::task::spawn_blocking(move || audit::exchange::answer(&node, question));
        match answering.await {
            Ok(Ok(Some(answer))) => Ok(json(&answer)),
            Ok(Ok(None)) => Err(peer::Refusal::new(404, "switched-off", "it keeps no audit log")),
            // Whoever moved the archive was told that this may be asked.
            Ok(Err(error @ audit::Unproven::NoArchive(_))) => {
                Err(peer::Refusal::new(404, "archive-absent", error.to_string()))
            }
            Ok(Err(audit::Unproven::Store(error))) => {
                tracing::error!(%error, "the head of the audit log cannot be proven");
                Err(peer::Refusal::new(500, "failed", "its log cannot be read"))
            }
            Err(_panicked) => Err(stopping()),
        }
    }

    /// Asks the API in the operator's stead. What was begun is finished even if the operator leaves.
    async fn relay(&self, operator: String, body: &[u8]) -> Answered {
        let request = serde_json::from_slice(body)
            .map_err(|error| peer::Refusal::new(400, "malformed", error.to_string()))?;
        let relaying = self.node.spawn(relay(self.node.clone(), operator, request));
        let answer = relaying.await.map_err(|_panicked| stopping())??;
        Ok(json(&answer))
    }

    async fn question(&self, from: NodeId, route: PeerRoute, body: &[u8]) -> Answered {
        let route = Route::ALL.into_iter().find(|known| super::links::route(*known) == route);
        let route = route.ok_or_else(|| peer::Refusal::new(404, "no-route", "no such route"))?;
        let question = Question::decode(route, body)
            .map_err(|error| peer::Refusal::new(400, "malformed", error.to_string()))?;
        let answer = match question {
            Question::Hello(_)
            | Question::Begin(_)
            | Question::Agree(..)
            | Question::Join(_)
            | Question::Push(..) => self.ask_engine(from, question).await?,
            question => self.serve(from, question).await?,
        };
        Ok(PeerAnswer::Bytes(answer.encode().into()))
    }

    async fn ask_engine(&self, peer: NodeId, question: Question) -> Result<Answer, peer::Refusal> {
        let (reply, answer) = oneshot::channel();
        self.engine.send(Job::Asked { peer, question, reply }).await;
        answer.await.map_err(|_ended| stopping())
    }

    /// Answers what needs only the store. What was pushed is taken even if the peer does not wait for
    /// the answer.
    async fn serve(&self, peer: NodeId, question: Question) -> Result<Answer, peer::Refusal> {
        let (node, engine) = (self.node.clone(), self.engine.clone());
        let serving = self.node.spawn(serve(node, engine, peer, question));
        serving.await.unwrap_or_else(|_panicked| Err(stopping()))
    }
}

/// Answers on a thread that may wait, and tells the engine what it must know.
async fn serve(
    node: Arc<Node>,
    engine: EngineHandle,
    peer: NodeId,
    question: Question,
) -> Result<Answer, peer::Refusal> {
    let standing = engine.standing().borrow().clone();
    let serving = tokio::task::spawn_blocking(move || {
        let mut host = NodeHost::of(&node, node.writer().clone(), &standing);
        serve_from_store(question, &standing.gate, node.now(), &mut host)
    });
    let served = match serving.await {
        Ok(Ok(served)) => served,
        Ok(Err(error)) => {
            tracing::error!(%error, "a peer's question cannot be answered");
            return Ok(Answer::Refused(Refusal::Failed));
        }
        Err(_panicked) => return Err(stopping()),
    };
    for input in served.inputs(peer) {
        engine.send(Job::Input(input)).await;
    }
    Ok(served.answer)
}

fn stopping() -> peer::Refusal {
    peer::Refusal::new(503, "stopping", "it is stopping")
}

fn json(body: &impl serde::Serialize) -> PeerAnswer {
    // Plain structs: nothing in them can fail to be written.
    PeerAnswer::Bytes(serde_json::to_vec(body).unwrap_or_default().into())
}
