//! What people are told. All of it can be found out again: nothing is decided by it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::by_type;

/// What the operator sees, and what it does. Enumerations and instants, never figures that change by
/// themselves: those are metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KvsClusterStatus {
    /// `Available`, `Progressing`, `Degraded`, `Converged`, `StorageReady`, `Paused`, `UpdateAvailable`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = by_type)]
    pub conditions: Vec<Condition>,

    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// In a sentence what matters most now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// Pods that there are.
    #[serde(default)]
    pub replicas: i32,

    /// Those of them that serve.
    #[serde(default)]
    pub ready_replicas: i32,

    /// Selects the pods, for autoscalers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,

    /// The nodes' version, where all have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,

    /// Where clients reach the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,

    /// The hash of the pod template in force: what `kvs.kalzu.dev/promote` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,

    /// The nodes, by ordinal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["ordinal"]
    ))]
    pub members: Vec<MemberStatus>,

    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,

    /// What comes next, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub plan: Vec<PlannedStep>,
}

/// A node, as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// The number in its pod's name.
    pub ordinal: i32,
    /// The node's id, which is on its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it holds what the others hold.
    pub state: MemberState,
}

/// Whether a node holds what the others hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MemberState {
    /// It has lately agreed with all others.
    InSync,
    /// It has not for a while.
    Behind,
    /// It does not answer.
    Unknown,
}

/// What is being done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Such as `Rollout` or `ScaleDown`.
    pub kind: String,
    /// Such as `Evict pod db-2`.
    pub step: String,
    /// Since when this step is the next one.
    pub since: Time,
}

/// A step that is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// What is to be done.
    pub step: String,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}
