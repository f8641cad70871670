//! Bounds of the peer port.

use std::time::Duration;

/// What the transport allows. The defaults suit clusters of some hundred nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerLimits {
    /// Most connections at once. A node has about three to each peer: requests, stream, bulk.
    pub connections: usize,
    /// Most connections at once that have not proven who they are.
    pub strangers: usize,
    /// Most of these from one address.
    pub strangers_per_address: usize,
    /// How long a TLS handshake may take, and how long a connection without a certificate may stay.
    pub handshake: Duration,
    /// Most requests at once on one connection.
    pub streams: u32,
    /// Most bytes of a request's headers.
    pub head: u32,
    /// How long the body of a request may take to arrive.
    pub body: Duration,
    /// How often a silent connection is asked whether it is still there, and how long it has to say.
    pub ping: Duration,
    /// How long a connection may take until it can be used.
    pub connect: Duration,
    /// How long an answer may take to arrive; of a stream, its beginning.
    pub answer: Duration,
    /// How long requests in flight have when the node stops.
    pub drain: Duration,
}

impl Default for PeerLimits {
    fn default() -> Self {
        Self {
            connections: 2_048,
            strangers: 256,
            strangers_per_address: 128,
            handshake: Duration::from_secs(10),
            streams: 256,
            head: 16 << 10,
            body: Duration::from_mins(1),
            ping: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            answer: Duration::from_mins(1),
            drain: Duration::from_secs(10),
        }
    }
}
