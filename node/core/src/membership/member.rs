//! What is known of a member.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::identity::Identity;
use crate::{NodeId, UnixMillis};

/// A random number that a node draws at every start, so that two processes can be told apart that
/// claim to be one node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub u64);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootId({self})")
    }
}

/// How often a node has spoken up anew: of two claims to one node id, the one with the higher
/// incarnation holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(u64);

impl Incarnation {
    /// Incarnations that a start leaves for those that follow while the node runs.
    const PER_START: u32 = 16;

    /// The first incarnation of the `start`-th start of a node: above whatever the starts before
    /// reached. `start` must be on disk before the first packet.
    #[must_use]
    pub const fn of_start(start: u64) -> Self {
        Self(start.saturating_mul(1 << Self::PER_START))
    }

    /// The next one: a node takes it to contradict those who hold it to be down.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    pub(super) const fn number(self) -> u64 {
        self.0
    }

    pub(super) const fn of_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = self.0 & ((1 << Self::PER_START) - 1);
        write!(f, "Incarnation({}.{within})", self.0 >> Self::PER_START)
    }
}

/// Everything that is known of a member: what it said of itself, handed on by others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which node it is, whatever its address.
    pub node: NodeId,
    /// Its name as people see it.
    pub name: String,
    /// Which process of that node.
    pub boot: BootId,
    /// The newest claim of that process.
    pub incarnation: Incarnation,
    /// Where it takes datagrams.
    pub gossip: SocketAddr,
    /// Where it takes connections of peers.
    pub peer: SocketAddr,
    /// Where it takes connections of clients.
    pub client: SocketAddr,
    /// When the node first started.
    pub joined: UnixMillis,
    /// Where it runs, in words of the operator: its failure domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The version of the peers' protocol that it speaks.
    pub protocol: u32,
    /// The version of the program that it runs.
    pub release: String,
}

impl Member {
    pub(super) const fn identity(&self) -> Identity {
        Identity {
            node: self.node,
            incarnation: self.incarnation,
            boot: self.boot,
            gossip: self.gossip,
        }
    }
}

/// Whether a member can be reached, as far as this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It answers.
    Alive,
    /// It did not answer somebody, and has some seconds left to contradict.
    Suspect,
    /// It left, or did not answer for the suspicion time.
    Down,
}

/// A member as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it said of itself.
    pub member: Arc<Member>,
    /// Whether it can be reached.
    pub state: State,
    /// When this node last heard of it from itself, or heard that it is up.
    pub last_seen: Duration,
}

/// Another process that lives under this node's id: most likely its disk was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// Which process.
    pub boot: BootId,
    /// Where it takes datagrams.
    pub gossip: SocketAddr,
}
