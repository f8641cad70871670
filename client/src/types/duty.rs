//! What the operator tells a node on the peer port, and what the node answers.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The body of the operator's question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DutyRequest {
    /// The node that is meant: another one at this address does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Uuid>,
    /// What it is to do. Nothing: it only says how it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<DutyOrder>,
    /// Where other nodes are, by their peer ports: names may be found too late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<SocketAddr>,
}

/// What a node is told to do. Each order may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DutyOrder {
    /// To ask for no more requests.
    Drain,
    /// To ask for requests again.
    Serve,
    /// To compare with all others at once, so that all know sooner that they agree.
    Compare,
    /// To found its cluster, since there is nobody else: it may have seeds, of which none is there.
    Found,
    /// To leave its cluster for good.
    Leave,
    /// To give another node up.
    Forget(Uuid),
}

/// What a node does beside its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duties {
    /// The node.
    pub node: Uuid,
    /// The version of its program.
    pub version: String,
    /// Whether it asks for no more requests.
    pub draining: bool,
    /// Once it was told to leave: `leaving`, then `left`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub departure: Option<String>,
}
