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
    /// Its display name.
    pub name: String,
    /// Once it was told to leave: `leaving`, and `left` when the others have all that it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub departure: Option<String>,
    /// Where this node is in its life: `unborn`, `filling`, `catching-up` or `serving`.
    pub life: String,
    /// While the node is being filled: the share that has come, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled: Option<f64>,
    /// The format that the cluster writes versions in.
    #[serde(default)]
    pub format: u8,
    /// The newest one that this node understands.
    #[serde(default)]
    pub newest_format: u8,
    /// The root of the digest tree: nodes with the same one hold the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Records in the digest tree, deleted ones that are remembered included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// This node's clock, in Unix milliseconds.
    pub now: u64,
    /// This node holds everything that was written up to here, in Unix milliseconds: it has agreed
    /// with every other member since.
    pub held: u64,
    /// How long ago that was, in milliseconds.
    pub held_age: u64,
    /// Every member does, so what was dead by then may be forgotten.
    pub horizon: u64,
    /// Who holds the horizon back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_held_by: Option<Uuid>,
    /// Dead records that wait to be forgotten; no more than 10,000 are counted.
    pub dead_waiting: u64,
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
    /// The newest format of versions that it understands, as far as it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_format: Option<u8>,
    /// Whether its writes come as they happen: `off`, `open` or `held`.
    pub stream: String,
    /// Why the two do not talk, or why its writes are not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Positions of its log that have not come yet: at least as many as versions.
    pub versions_behind: u64,
    /// At least so many bytes of its writes have not come yet: what it has of them in memory.
    #[serde(default)]
    pub bytes_behind: u64,
    /// How long ago this node last had everything that it knew of in its log, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_age: Option<u64>,
    /// When the last comparison that this node began and completed began, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<u64>,
    /// The last comparison since this node started that found differences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_repair: Option<Repair>,
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

/// What a comparison of two nodes found and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Repair {
    /// When it ended, in Unix milliseconds.
    pub at: u64,
    /// Records that differed.
    pub differing: u64,
    /// Versions that the answering node gave.
    pub pushed: u64,
    /// Versions that it took.
    pub fetched: u64,
}

/// What a node is told to do with clients' writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NodeMode {
    /// Take them.
    Normal,
    /// Refuse them. What other nodes accepted still comes.
    ReadOnly,
}

/// The body of `POST /cluster/mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ModeRequest {
    /// What the node is to do from now on, after a restart too.
    pub mode: NodeMode,
}

/// The body of `POST /cluster/forget`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ForgetRequest {
    /// The member: its id, or its name if no other member has it.
    pub node: String,
}

/// The answer of `POST /cluster/drain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Drained {
    /// Whether another node was sent everything that this one had accepted when it was asked. A node
    /// that is the only member has nobody to send it to.
    pub flushed: bool,
    /// That node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Uuid>,
}
