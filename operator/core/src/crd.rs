//! What people ask for, and what they are told: `KvsCluster` here, the other kinds below.

mod backup;
mod bootstrap;
mod config;
mod definition;
mod pods;
mod resources;
mod rollout;
mod rule;
mod schedule;
mod served;
mod service;
mod state;
mod storage;
mod tls;
mod user;

#[cfg(test)]
mod kinds;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, EnvVar, LocalObjectReference, Toleration, TopologySpreadConstraint,
};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::backup::{BackupPhase, KvsBackup, KvsBackupSpec, KvsBackupStatus};
pub use self::bootstrap::{Bootstrap, FromBackup};
pub use self::config::NodeConfig;
pub use self::definition::{definition, definitions, text, texts};
pub use self::pods::PullPolicy;
pub use self::resources::{Amount, Resources};
pub use self::rollout::{Gate, Override, Rollout};
pub use self::schedule::{KvsBackupSchedule, KvsBackupScheduleSpec, KvsBackupScheduleStatus};
pub use self::served::unserved;
pub use self::service::{Service, ServiceType};
pub use self::state::{KvsClusterStatus, MemberState, MemberStatus, Operation, PlannedStep};
pub use self::storage::{Retain, Storage};
pub use self::tls::{Tls, TlsMode};
pub use self::user::{KvsUser, KvsUserSpec, KvsUserStatus, ServiceAccountName, UserToken};

use self::rule::{fixed, rules};

/// The group of all kinds of this project.
pub const GROUP: &str = "kvs.kalzu.dev";
/// The annotation that releases a canary: its value is the hash of the pod template in `status.template`.
pub const PROMOTE: &str = "kvs.kalzu.dev/promote";
/// The annotation that gives a member whose disk is lost a new one: `ORDINAL/UID-OF-THE-CLAIM`.
pub const REPLACE: &str = "kvs.kalzu.dev/replace";
/// The annotation that takes the pod template of a newer operator: its value is that template's hash.
pub const ADOPT: &str = "kvs.kalzu.dev/adopt";

/// A cluster of KVS nodes: a replicated key-value store.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kvs.kalzu.dev",
    version = "v1alpha1",
    kind = "KvsCluster",
    plural = "kvsclusters",
    singular = "kvscluster",
    shortname = "kvs",
    category = "all",
    namespaced,
    status = "KvsClusterStatus",
    derive = "PartialEq",
    doc = "A cluster of KVS nodes: a replicated key-value store that every node serves on its own.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn = r#"{"name":"Ready","type":"integer","jsonPath":".status.readyReplicas"}"#,
    printcolumn = r#"{"name":"Converged","type":"string","jsonPath":".status.conditions[?(@.type==\"Converged\")].status"}"#,
    printcolumn = r#"{"name":"Replicas","type":"integer","jsonPath":".spec.replicas"}"#,
    printcolumn = r#"{"name":"Version","type":"string","jsonPath":".status.version"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Message","type":"string","jsonPath":".status.message","priority":1}"#,
    crates(
        kube_core = "::kube_core",
        k8s_openapi = "::k8s_openapi",
        schemars = "::schemars",
        serde = "::serde",
        serde_json = "::serde_json"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[
    (
        &fixed("identitySecret"),
        "spec.identitySecret cannot change: it is who the cluster is. To rotate, change what is in \
         the Secret; for another identity, make another KvsCluster",
    ),
    (
        &fixed("bootstrap"),
        "spec.bootstrap cannot change: it says how the cluster began. To begin anew from another backup, \
         make another KvsCluster",
    ),
    (
        "!has(self.bootstrap) || has(self.identitySecret)",
        "spec.bootstrap.fromBackup needs spec.identitySecret: a Secret with the cluster file of the \
         cluster that the backup is of, under the key cluster.kvs",
    ),
    (
        "!has(self.fenced) || self.fenced.all(ordinal, ordinal < self.replicas)",
        "spec.fenced has ordinals from 0 to spec.replicas - 1: take out what is above, or hold nodes down \
         that there are",
    ),
    (
        "!has(self.rollout.canary) || self.rollout.canary <= self.replicas",
        "spec.rollout.canary is more than spec.replicas: let fewer pods go first, or leave it out",
    ),
])))]
pub struct KvsClusterSpec {
    /// How many nodes. Each holds everything, so more of them serve more reads and survive more losses;
    /// they do not make room. Fewer than before: nodes leave one by one, the highest first, each only
    /// once the others hold all that it had.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub replicas: i32,

    /// The node's image. Left out, the one that the operator was released with when the cluster was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-validations" = rules(&[(
        "!self.matches('\\\\s')",
        "spec.image has a space or line break in it; write name:tag or name@digest",
    )])))]
    pub image: Option<String>,

    /// When nodes fetch the image. Left out, Kubernetes decides by the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<PullPolicy>,

    /// Secrets with which the image is fetched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalObjectReference>,

    /// Whether the cluster runs.
    #[serde(default)]
    pub mode: Mode,

    /// Ids of nodes that are lost for good, as `status.members` and the messages name them. What they
    /// alone had is lost to the cluster; without this the cluster waits for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(max = 36)),
        extend("x-kubernetes-list-type" = "set", "x-kubernetes-validations" = rules(&[(
            &format!("self.all(id, id.matches('{UUID}'))"),
            "spec.forget has ids of nodes, such as 0190b6f2-4c1e-7000-8000-000000000001, not names of pods: \
             `kubectl kvs members` shows them",
        )]))
    )]
    pub forget: Vec<String>,

    /// Ordinals of nodes that are held down: their pods run, and open neither disk nor port. One node at a
    /// time, each only while all others agree. Taken out, a node goes on within two minutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(range(min = 0, max = 99)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub fenced: Vec<i32>,

    /// The nodes' disks.
    pub storage: Storage,

    /// The nodes' settings, by the names that they have in a node's configuration file. What the
    /// operator decides (names, addresses, ports, paths) is not among them.
    #[serde(default, skip_serializing_if = "NodeConfig::is_empty")]
    pub config: NodeConfig,

    /// A Secret of yours with the cluster file under the key `cluster.kvs`, as `kvs cluster new` makes
    /// one. Left out, the operator makes one, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub identity_secret: Option<String>,

    /// What a new cluster begins with. Left out, it begins empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<Bootstrap>,

    /// TLS for clients.
    #[serde(default)]
    pub tls: Tls,

    /// A `ConfigMap` with certificates of authorities under the key `ca.crt`. By them, in place of the public
    /// authorities, nodes know S3 and issuers outside. Kubernetes' own is in `kube-root-ca.crt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ca_config_map: Option<String>,

    /// CPU and memory of each pod. A node takes its `block_cache`, its `write_buffer` and about 100 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Labels of the machines on which pods may run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub node_selector: BTreeMap<String, String>,

    /// Taints that pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub tolerations: Vec<Toleration>,

    /// Rules by which pods are placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,

    /// How pods are spread. Left out, over machines and zones as far as there are some; an empty list
    /// leaves it to the scheduler. A constraint without a selector is about this cluster's pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub topology_spread: Option<Vec<TopologySpreadConstraint>>,

    /// The pods' priority class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,

    /// Further labels of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "x-kubernetes-validations" = rules(&[RESERVED_LABELS])))]
    pub pod_labels: BTreeMap<String, String>,

    /// Further annotations of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "x-kubernetes-validations" = rules(&[RESERVED_LABELS])))]
    pub pod_annotations: BTreeMap<String, String>,

    /// Further environment variables of the node's container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-validations" = rules(&[(
        "self.all(v, !v.name.startsWith('KVS__'))",
        "spec.env cannot set KVS__ variables; write settings below spec.config, by their own names",
    )])))]
    pub env: Vec<EnvVar>,

    /// The Service for clients.
    #[serde(default)]
    pub service: Service,

    /// How changes are rolled out.
    #[serde(default)]
    pub rollout: Rollout,

    /// Makes a NetworkPolicy: anybody may reach the clients' port, the nodes' own port only the nodes
    /// and the operator.
    #[serde(default = "yes")]
    pub network_policy: bool,

    /// Makes a ServiceMonitor, where the cluster knows that kind. It has no token: `metrics_public` is to stay on.
    #[serde(default)]
    pub monitoring: bool,
}

const UUID: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

const RESERVED_LABELS: (&str, &str) = (
    "self.all(k, !k.startsWith('kvs.kalzu.dev/') && !k.startsWith('app.kubernetes.io/'))",
    "names that begin with kvs.kalzu.dev/ or app.kubernetes.io/ are the operator's own; choose others",
);

/// Whether a cluster runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// It runs, and the operator makes it what the spec says.
    #[default]
    Running,
    /// It runs as it is: the operator says what it sees and changes nothing.
    Paused,
    /// No pods run. Disks and identity stay, and nobody is forgotten.
    Hibernated,
}

const fn three() -> i32 {
    3
}

const fn yes() -> bool {
    true
}
