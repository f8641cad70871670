//! What the world tells membership, and what membership asks of it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::member::{Member, Twin};
use crate::NodeId;

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The time asked for by [`next_wake`](super::Membership::next_wake) has come.
    Wake,
    /// A datagram came and was opened.
    Datagram {
        /// Where it came from.
        from: SocketAddr,
        /// What was sealed.
        payload: Bytes,
    },
    /// A seed was resolved, to no address if it could not be.
    Resolved {
        /// Which.
        seed: usize,
        /// Gossip addresses, which are the peer addresses.
        addresses: Vec<SocketAddr>,
    },
    /// Where somebody says that others are, beside the seeds: peer addresses.
    Hint(Vec<SocketAddr>),
    /// The member list of a node came.
    Pulled {
        /// The address that was asked.
        from: SocketAddr,
        /// What it answered: itself, and whom it holds to be up.
        members: Vec<Member>,
    },
    /// The member list of a node could not be had.
    PullFailed {
        /// The address that was asked.
        from: SocketAddr,
    },
    /// A peer introduced itself over a connection of its own.
    Met(Member),
    /// The durable records name this many members, this node among them.
    Expect(usize),
    /// A member that is down is not to be looked for any more: it left for good or was forgotten.
    Forget(NodeId),
    /// This node leaves: whatever comes after is ignored.
    Leave,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Seal and send a datagram.
    Send {
        /// Where.
        to: SocketAddr,
        /// What.
        payload: Bytes,
    },
    /// Resolve a seed, and answer with [`Input::Resolved`] in any case.
    Resolve {
        /// Which.
        seed: usize,
    },
    /// Pull the member list from a node, and answer with [`Input::Pulled`] or
    /// [`Input::PullFailed`] in any case.
    Pull {
        /// Its peer address.
        from: SocketAddr,
    },
    /// Count a datagram that was opened and then not understood: a member speaks another protocol.
    Malformed {
        /// Where it came from.
        from: SocketAddr,
    },
    /// Let the rest of the node know.
    Tell(Event),
}

/// What the rest of a node wants to know at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A member can be reached and everything is known of it.
    Up(Arc<Member>),
    /// A member that was up goes on as another process, perhaps elsewhere.
    Changed(Arc<Member>),
    /// A member that was up cannot be reached any more, or left.
    Down(Arc<Member>),
    /// Another process lives under this node's id. Both find out.
    TwinSeen(Twin),
}
