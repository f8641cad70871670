//! What a datagram says of a member: as little as tells it from any other and finds it.

use std::net::SocketAddr;

use super::member::{BootId, Incarnation};
use crate::NodeId;

/// A claim: this node, in this process, is at this address. About 35 bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) node: NodeId,
    pub(super) incarnation: Incarnation,
    /// What is known of a member belongs to one of its processes. Without this, a third node could
    /// not tell a restart, whose details it must fetch, from a contradiction, whose it has.
    pub(super) boot: BootId,
    pub(super) gossip: SocketAddr,
}

impl Identity {
    /// What decides between two claims to one node id. Only copies of a node meet at one
    /// incarnation; the rest makes the order total.
    fn rank(&self) -> (Incarnation, BootId, SocketAddr) {
        (self.incarnation, self.boot, self.gossip)
    }
}

impl foca::Identity for Identity {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        Some(Self { incarnation: self.incarnation.next(), ..*self })
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.rank() > adversary.rank()
    }
}
