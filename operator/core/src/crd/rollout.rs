//! How changes are rolled out.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How changes are rolled out: pod by pod, the highest first, each once the one before has agreed with
/// all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// How many pods get a change and then wait for `kubectl kvs promote`. Left out, none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub canary: Option<i32>,

    /// Minutes that a step may take before the cluster is called Degraded. The step goes on all the
    /// same.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1440))]
    pub timeout_minutes: i32,

    /// Does without a proof, for a while.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub exception: Option<Override>,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { canary: None, timeout_minutes: ten(), exception: None }
    }
}

/// What the operator does without, for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// The proof that is not waited for.
    pub gate: Gate,

    /// Until when, as `2026-01-31T12:00:00Z`. Required, so that nobody forgets it here.
    pub expires: Time,
}

/// A proof that a restart waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Gate {
    /// That all nodes have agreed on what they hold. What only the restarted node has is on its disk.
    Agreement,
    /// That all other nodes are ready, too: a restart may then leave nobody who serves.
    Readiness,
}

const fn ten() -> i32 {
    10
}
