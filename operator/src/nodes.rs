//! Nodes, on their peer port: with a certificate of their cluster in the role of the operator, and so
//! whatever accounts a cluster has.

mod link;
mod relay;
mod tls;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use kvs_client::{ClusterFile, ClusterStatus, Duties, DutyOrder, DutyRequest, PeerStatus};
use kvs_core::UnixMillis;
use kvs_operator_core::names::{Names, PEER_PORT};
use kvs_operator_core::observed::{Departure, Life, MemberSeen, Ordinal, PeerSeen, Standing};
use thiserror::Error;
use uuid::Uuid;

pub use self::relay::{Api, ApiError, SWITCHED_OFF};

use crate::fence::{Fence, Stale};

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A node was not asked, or did not answer.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The certificates cannot be made.
    #[error("the cluster file gives no certificate: {0}")]
    Credentials(String),
    /// There is no connection.
    #[error("node at {0} cannot be reached: {1}")]
    Unreachable(SocketAddr, String),
    /// It took too long.
    #[error("node at {0} does not answer within {1:?}")]
    TimedOut(SocketAddr, Duration),
    /// It says no.
    #[error("the node refuses: {0}")]
    Refused(String),
    /// Its address is another's by now.
    #[error("it is {0} that answers")]
    Another(String),
    /// This operator may no longer give orders.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// Its answer is not understood.
    #[error("the node's answer is not understood: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Speaks to the nodes of one cluster.
#[derive(Clone, Debug)]
pub struct Nodes {
    tls: std::sync::Arc<rustls::ClientConfig>,
    fence: Fence,
}

impl Nodes {
    /// Whoever has the cluster file may speak to its nodes; `name` is what this operator is called. It
    /// gives orders only as `fence` lets it.
    ///
    /// # Errors
    ///
    /// The file gives no certificate.
    pub fn new(file: &ClusterFile, name: &str, fence: &Fence) -> Result<Self, NodeError> {
        Ok(Self { tls: tls::config(file, name)?, fence: fence.clone() })
    }

    /// Asks all nodes at once how they are, and tells each where the others are; those that do not
    /// answer are left out, and who has the address of one that is gone.
    pub async fn look(
        &self,
        names: &Names,
        at: &BTreeMap<Ordinal, IpAddr>,
    ) -> BTreeMap<Ordinal, MemberSeen> {
        let asking = at.iter().map(|(ordinal, ip)| async move {
            let others = at.values().filter(|other| *other != ip).map(|other| address(*other));
            match self.status(&names.pod(*ordinal), *ip, others.collect()).await {
                Ok(member) => Some((*ordinal, member)),
                Err(error) => {
                    tracing::debug!(ordinal, %error, "a node does not answer");
                    None
                }
            }
        });
        join_all(asking).await.into_iter().flatten().collect()
    }

    /// Gives a node an order, if it is the node that is meant.
    ///
    /// # Errors
    ///
    /// It did not arrive, or the node refuses; in the first case it may have been carried out.
    pub async fn order(&self, ip: IpAddr, node: Uuid, order: DutyOrder) -> Result<(), NodeError> {
        self.duty(ip, DutyRequest { node: Some(node), order: Some(order), seeds: Vec::new() })
            .await
            .map(drop)
    }

    async fn status(
        &self,
        name: &str,
        ip: IpAddr,
        seeds: Vec<SocketAddr>,
    ) -> Result<MemberSeen, NodeError> {
        let duties = self.duty(ip, DutyRequest { seeds, ..DutyRequest::default() }).await?;
        let status = link::ask(&self.tls, address(ip), "status", Vec::new(), None).await?;
        member(name, serde_json::from_slice(&status)?, duties)
    }

    async fn duty(&self, ip: IpAddr, request: DutyRequest) -> Result<Duties, NodeError> {
        let body = serde_json::to_vec(&request)?;
        let fence = request.order.is_some().then_some(&self.fence);
        Ok(serde_json::from_slice(&link::ask(&self.tls, address(ip), "duty", body, fence).await?)?)
    }
}

const fn address(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, PEER_PORT)
}

/// What a node says, if it is the one of this name: addresses are given to other pods.
fn member(name: &str, status: ClusterStatus, duties: Duties) -> Result<MemberSeen, NodeError> {
    if status.name != name || status.node != duties.node {
        return Err(NodeError::Another(status.name));
    }
    Ok(MemberSeen {
        node: status.node,
        version: Some(duties.version),
        life: match status.life.as_str() {
            "serving" => Life::Serving,
            "filling" | "catching-up" => Life::Filling,
            _ => Life::Unborn,
        },
        draining: duties.draining,
        departure: match duties.departure.as_deref() {
            Some("left") => Some(Departure::Left),
            Some(_) => Some(Departure::Leaving),
            None => None,
        },
        now: UnixMillis(status.now),
        peers: status.peers.into_iter().map(peer).collect(),
    })
}

fn peer(status: PeerStatus) -> (Uuid, PeerSeen) {
    let standing = match status.standing.as_deref() {
        Some("joined") => Standing::Joined,
        Some("left") => Standing::Left,
        Some("forgotten") => Standing::Forgotten,
        _ => Standing::None,
    };
    let (name, reachable) = (status.name, status.reachable);
    let agreed = status.agreed.map(UnixMillis);
    (status.id, PeerSeen { name, standing, reachable, agreed })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn says(name: &str, of: u128, duties_of: u128) -> Result<MemberSeen, NodeError> {
        let status = json!({
            "cluster": Uuid::nil(), "node": Uuid::from_u128(of), "name": name, "life": "serving",
            "now": 1, "held": 0, "held_age": 0, "horizon": 0, "dead_waiting": 0, "clock_ahead": 0, "peers": [],
        });
        let duties =
            json!({ "node": Uuid::from_u128(duties_of), "version": "1", "draining": false });
        member(
            "db-1",
            serde_json::from_value(status).unwrap(),
            serde_json::from_value(duties).unwrap(),
        )
    }

    #[test]
    fn only_the_node_of_that_pod_speaks_for_it() {
        assert_eq!(says("db-1", 1, 1).unwrap().node, Uuid::from_u128(1));
        assert!(matches!(says("db-2", 1, 1), Err(NodeError::Another(name)) if name == "db-2"));
        // The address changed hands between the two questions.
        assert!(matches!(says("db-1", 1, 2), Err(NodeError::Another(_))));
    }
}
