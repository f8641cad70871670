//! Connections to peers, made when they are needed and kept.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use kvs_core::NodeId;
use kvs_core::membership::Member;
use kvs_core::wire::{Answer, Question, Route};

use super::Figures;
use crate::membership::{Membership, Pull, PullError};
use crate::peer::{PeerClient, PeerError, PeerLink, PeerRoute};

/// One connection to each peer, for questions.
#[derive(Debug)]
pub struct Links {
    client: PeerClient,
    membership: OnceLock<Membership>,
    open: Mutex<HashMap<NodeId, Arc<Slot>>>,
    figures: Arc<Figures>,
    /// Where somebody was found who is no peer, and that was said.
    strangers: Mutex<HashSet<SocketAddr>>,
}

/// Locked while a connection is made, so that two questions do not make two.
type Slot = tokio::sync::Mutex<Option<PeerLink>>;

impl Links {
    /// Connections that `client` makes.
    pub fn new(client: PeerClient) -> Self {
        Self {
            client,
            membership: OnceLock::new(),
            open: Mutex::default(),
            figures: Arc::default(),
            strangers: Mutex::default(),
        }
    }

    /// Says where nodes are.
    pub fn find_by(&self, membership: Membership) {
        self.membership.get_or_init(|| membership);
    }

    /// What is counted of what goes over them.
    pub const fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// Looks no more for a node: it left for good or was given up.
    pub async fn forget(&self, node: NodeId) {
        if let Some(membership) = self.membership.get() {
            membership.forget(node).await;
        }
    }

    /// Asks a peer.
    ///
    /// # Errors
    ///
    /// It has no known address, or there is no answer.
    pub async fn ask(&self, peer: NodeId, question: &Question) -> Result<Answer, PeerError> {
        let link = self.to(peer).await?;
        let answer = link.ask(route(question.route()), question.encode().into()).await?;
        let answer = Answer::decode(&answer);
        if let Ok(Answer::Agreed(_)) = answer {
            self.figures.agreed();
        }
        answer.map_err(|error| PeerError::Malformed(error.to_string()))
    }

    /// Asks a peer for the head of its tamper-evident log.
    ///
    /// # Errors
    ///
    /// It has no known address, there is no answer, or it keeps no log.
    pub async fn audit(&self, peer: NodeId, question: Bytes) -> Result<Bytes, PeerError> {
        self.to(peer).await?.ask(PeerRoute::Audit, question).await
    }

    /// A connection of its own to a peer, for what is long.
    ///
    /// # Errors
    ///
    /// It has no known address, or cannot be reached there.
    pub async fn own(&self, peer: NodeId) -> Result<PeerLink, PeerError> {
        self.client.connect(self.address(peer)?, Some(peer)).await
    }

    async fn to(&self, peer: NodeId) -> Result<PeerLink, PeerError> {
        let slot = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.entry(peer).or_default().clone()
        };
        let mut slot = slot.lock().await;
        let address = self.address(peer)?;
        if let Some(link) =
            slot.as_ref().filter(|link| !link.is_closed() && link.address() == address)
        {
            return Ok(link.clone());
        }
        let link = self.client.connect(address, Some(peer)).await?;
        *slot = Some(link.clone());
        Ok(link)
    }

    fn address(&self, peer: NodeId) -> Result<SocketAddr, PeerError> {
        let view = self.membership.get().map(Membership::view);
        let found = view.as_ref().and_then(|view| {
            let seen = view.members.iter().find(|seen| seen.member.node == peer)?;
            Some(seen.member.peer)
        });
        found.ok_or_else(|| PeerError::Closed("its address is not known".into()))
    }
}

impl Links {
    /// Says once of each address that it is not a peer's: nobody there yet is normal, somebody else is
    /// not.
    fn note_stranger(&self, address: SocketAddr, error: Option<&PeerError>) {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            None => drop(strangers.remove(&address)),
            Some(error @ (PeerError::Outsider { .. } | PeerError::NotANode { .. })) => {
                if strangers.insert(address) {
                    tracing::warn!(
                        %error,
                        "no peer: have both nodes the same cluster file, and is the port the one \
                         for peers?"
                    );
                }
            }
            Some(_) => {}
        }
    }
}

impl Pull for Links {
    fn pull(&self, from: SocketAddr, me: Member) -> BoxFuture<'_, Result<Vec<Member>, PullError>> {
        Box::pin(async move {
            let connected = self.client.connect(from, None).await;
            self.note_stranger(from, connected.as_ref().err());
            let link = connected?;
            let me = Bytes::from(serde_json::to_vec(&me)?);
            let members = link.ask(PeerRoute::Members, me).await?;
            Ok(serde_json::from_slice(&members)?)
        })
    }
}

/// The route of the peer port that carries a question.
pub const fn route(route: Route) -> PeerRoute {
    match route {
        Route::Hello => PeerRoute::Hello,
        Route::Begin => PeerRoute::Begin,
        Route::Compare => PeerRoute::Compare,
        Route::Fetch => PeerRoute::Fetch,
        Route::Push => PeerRoute::Push,
        Route::Agree => PeerRoute::Agree,
        Route::Join => PeerRoute::Join,
        Route::Range => PeerRoute::Range,
    }
}
