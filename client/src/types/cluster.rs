//! How a cluster is, as one node sees it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The answer of `GET /cluster`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClusterStatus {
    /// The cluster's id.
    pub cluster: Uuid,
    /// This node's id.
    pub node: Uuid,
    /// Where this node is in its life: `unborn`, `filling`, `catching-up` or `serving`.
    pub life: String,
    /// While the node is being filled: the share that has come, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled: Option<f64>,
    /// The root of the digest tree: nodes with the same one hold the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Records in the digest tree, deleted ones that are remembered included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// This node holds everything that was written up to here, in Unix milliseconds.
    pub held: u64,
    /// Every member does, so what was dead by then may be forgotten.
    pub horizon: u64,
    /// Who holds the horizon back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_held_by: Option<Uuid>,
    /// How far this node's clock is ahead of its peers', in milliseconds.
    pub clock_ahead: i64,
    /// Another process that runs under this node's id, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<String>,
    /// Everybody else: members, reachable or not, and those that can be reached and are none.
    pub peers: Vec<PeerStatus>,
}

/// Another node, as this one sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerStatus {
    /// Its id.
    pub id: Uuid,
    /// Its display name, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is to the cluster: `joined`, `left` or `forgotten`; left out, no member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<String>,
    /// Whether it can be reached.
    pub reachable: bool,
    /// Where it is in its life, as far as it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<String>,
    /// Whether its writes come as they happen: `off`, `open` or `held`.
    pub stream: String,
    /// Why the two do not talk, or why its writes are not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Positions of its log that have not come yet: at least as many as versions.
    pub versions_behind: u64,
    /// Both hold everything that either had up to here, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed: Option<u64>,
    /// How long ago that was, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_age: Option<u64>,
    /// How far its clock is ahead of this node's, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset: Option<i64>,
}
