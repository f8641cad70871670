//! What answers peers, behind the transport.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use kvs_core::NodeId;
use serde::{Deserialize, Serialize};

use super::PeerRoute;
use super::tls::PeerName;

/// Who is at the other end, as proven by a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerRole {
    /// A node of the cluster.
    Node(NodeId),
    /// The cluster's operator, by its name.
    Operator(String),
    /// Somebody without a certificate.
    Nobody,
}

impl From<PeerName> for PeerRole {
    fn from(name: PeerName) -> Self {
        match name {
            PeerName::Node(node) => Self::Node(node),
            PeerName::Operator(name) => Self::Operator(name),
        }
    }
}

/// Who calls, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCaller {
    /// Who it is.
    pub role: PeerRole,
    /// Where the connection comes from.
    pub address: SocketAddr,
}

/// Why a request is not answered. It travels as JSON, so that every release can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The HTTP status. Below 500 the caller is at fault, and the refusal is logged.
    #[serde(skip)]
    pub status: u16,
    /// What programs tell refusals apart by: lower case and hyphens, never changed.
    pub code: String,
    /// For people.
    pub text: String,
}

impl Refusal {
    /// A refusal with this status, this code and this reason.
    pub fn new(status: u16, code: &str, text: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), text: text.into() }
    }
}

/// What a peer is answered.
pub enum PeerAnswer {
    /// One message.
    Bytes(Bytes),
    /// Messages, perhaps without end, each arriving as it was sent. The next one is asked for when
    /// the receiver has room, so a slow one holds the sender back. A refusal ends the stream. It is
    /// dropped when the receiver leaves or this node stops.
    Stream(BoxStream<'static, Result<Bytes, Refusal>>),
    /// Nothing, and why.
    Refused(Refusal),
}

impl fmt::Debug for PeerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.debug_tuple("Bytes").field(&bytes.len()).finish(),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
        }
    }
}

/// Answers the requests of peers.
pub trait PeerHandler: Send + Sync + 'static {
    /// Answers one request. The caller may call this route, and the body is within the route's
    /// limit; nothing else is known of it. Where the caller leaves, the future is dropped at its
    /// next await: what must be finished belongs into a task of its own.
    fn handle(
        &self,
        caller: PeerCaller,
        route: PeerRoute,
        body: Bytes,
    ) -> BoxFuture<'_, PeerAnswer>;
}
