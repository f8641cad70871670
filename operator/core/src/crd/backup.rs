//! `KvsBackup`: one backup of a cluster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::rules;

/// One backup of a `KvsCluster`: made once, by one of its nodes, to where the cluster's configuration
/// says (`backup_target`).
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kvs.kalzu.dev",
    version = "v1alpha1",
    kind = "KvsBackup",
    plural = "kvsbackups",
    singular = "kvsbackup",
    category = "all",
    namespaced,
    status = "KvsBackupStatus",
    derive = "PartialEq",
    doc = "One backup of a KvsCluster. Deleting a KvsBackup leaves the backup where it is.",
    printcolumn = r#"{"name":"Cluster","type":"string","jsonPath":".spec.cluster"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Backup","type":"string","jsonPath":".status.backup"}"#,
    printcolumn = r#"{"name":"Bytes","type":"integer","jsonPath":".status.size"}"#,
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
#[schemars(extend("x-kubernetes-validations" = rules(&[(
    "self == oldSelf",
    "spec cannot change: a KvsBackup is one backup, which may be made already. For another one, make \
     another KvsBackup",
)])))]
pub struct KvsBackupSpec {
    /// The `KvsCluster`, in the same namespace.
    #[schemars(length(min = 1, max = 40))]
    pub cluster: String,
}

/// How far a backup is, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KvsBackupStatus {
    /// How far it is.
    #[serde(default)]
    pub phase: BackupPhase,

    /// In a sentence, what it waits for or why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// The backup's name, by which `kvs backup list` and `kvs backup restore` know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,

    /// Where it is: `s3://BUCKET/PREFIX`, or a folder on the member's disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,

    /// The pod whose node makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,

    /// That node's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,

    /// When the node was asked, by its own clock. Whatever it began since is this backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<MicroTime>,

    /// The moment that it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Time>,

    /// When it was done, or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Time>,

    /// Bytes that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

/// How far a backup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BackupPhase {
    /// No node was asked for it yet.
    #[default]
    Pending,
    /// A node is asked, and what it answers is not known yet.
    Starting,
    /// It is being made.
    Running,
    /// It is made, and can be restored.
    Succeeded,
    /// There is none.
    Failed,
}

impl BackupPhase {
    /// Whether nothing more becomes of it.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}
