//! Why a peer could not be asked.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use kvs_core::NodeId;
use thiserror::Error;

use super::handler::Refusal;
use super::tls::PeerName;

/// Why there is no connection or no answer. Whether the peer did what it was asked is known only
/// where the variant says so.
#[derive(Debug, Error)]
pub enum PeerError {
    /// Nobody listens there, or the network does not lead there. Nothing was asked.
    #[error("cannot reach {address}")]
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else is at that address: addresses change hands. Nothing was asked.
    #[error("{address} is {found}, and node {expected} was expected there")]
    NotExpected {
        /// The address.
        address: SocketAddr,
        /// Who should have been there.
        expected: NodeId,
        /// Who is.
        found: PeerName,
    },
    /// One of the two does not believe the other's certificate: they have no secret in common, or
    /// not the same authority. Nothing was done.
    #[error("{address} and this node do not accept each other: {reason}")]
    Outsider {
        /// The address.
        address: SocketAddr,
        /// Which of the two refuses, and why.
        reason: String,
    },
    /// What is there does not speak as a node does. Nothing was asked.
    #[error("{address} does not speak as a node does: {reason}")]
    NotANode {
        /// The address.
        address: SocketAddr,
        /// What it did instead.
        reason: String,
    },
    /// The peer refused, and says why.
    #[error("refused ({}, {}): {}", .0.status, .0.code, .0.text)]
    Refused(Refusal),
    /// It took too long. The peer may have done what it was asked.
    #[error("no {what} within {after:?}")]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// A message is larger than its route allows. If it is the request, nothing was sent.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// Which one.
        what: &'static str,
        /// What the route allows.
        limit: usize,
    },
    /// The connection ended. The peer may have done what it was asked.
    #[error("the connection has ended: {0}")]
    Closed(String),
    /// The answer is not one.
    #[error("the answer cannot be understood: {0}")]
    Malformed(String),
}
