//! The Service for clients.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::rules;

/// The Service for clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// How it is reached.
    #[serde(default, rename = "type")]
    pub kind: ServiceType,

    /// Its annotations, such as a cloud's load balancer wants them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "x-kubernetes-validations" = rules(&[(
        "self.all(k, !k.startsWith('kvs.kalzu.dev/'))",
        "names that begin with kvs.kalzu.dev/ are the operator's own; choose others",
    )])))]
    pub annotations: BTreeMap<String, String>,

    /// Makes a Service for each pod, too, of the same type: for clients that are to stay with one node.
    #[serde(default)]
    pub per_pod: bool,
}

/// How a Service is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// From within the cluster.
    #[default]
    ClusterIP,
    /// At a port of every machine.
    NodePort,
    /// By a load balancer of the cloud.
    LoadBalancer,
}

impl ServiceType {
    /// As Kubernetes spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}
