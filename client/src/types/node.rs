//! What the routes about the node answer.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The answer of `GET /health`, and of `GET /livez` and `GET /readyz`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok`, or in a word what is wrong: `stopping`, `draining`, `leaving`, `left`.
    pub status: String,
    /// What the node does with requests: `normal`, `syncing` or `read_only`.
    pub mode: String,
    /// The version of the program.
    pub version: String,
    /// The node's identity; for callers that may read the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<Uuid>,
    /// How many members the node knows, itself included; for callers that may read the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<u64>,
    /// Whether the members agree; for callers that may read the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convergence: Option<Convergence>,
    /// While an empty node is being filled: the share of the data that has come, from 0 to 1; for
    /// callers that may read the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled: Option<f64>,
}

/// Whether the members hold the same data, as far as this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Convergence {
    /// This node and every other member have lately agreed on what they hold.
    Converged,
    /// Some member is away or behind, or was not compared lately.
    Converging,
}

/// The answer of `GET /members/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Members {
    /// Every member, the answering node included.
    pub members: Vec<Member>,
}

/// One node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The node's identity.
    pub id: Uuid,
    /// The node's display name.
    pub name: String,
    /// `alive`, `suspect`, `down` or `left`.
    pub state: String,
    /// Where the node answers, for example `10.0.0.7:8080`.
    pub address: String,
    /// When the node first started, in Unix milliseconds.
    pub joined: u64,
    /// When it was last heard of, in Unix milliseconds.
    pub last_seen: u64,
    /// Its failure domain, where one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The version of the program that it runs.
    pub version: String,
    /// Positions of its log that the answering node does not have yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions_behind: Option<u64>,
}
