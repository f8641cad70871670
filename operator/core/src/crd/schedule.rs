//! `KvsBackupSchedule`: backups of a cluster, again and again.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rule::{by_type, rules};

/// Backups of a `KvsCluster` at times that repeat: each is a `KvsBackup` of its own.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kvs.kalzu.dev",
    version = "v1alpha1",
    kind = "KvsBackupSchedule",
    plural = "kvsbackupschedules",
    singular = "kvsbackupschedule",
    category = "all",
    namespaced,
    status = "KvsBackupScheduleStatus",
    derive = "PartialEq",
    doc = "Backups of a KvsCluster at times that repeat: one node makes each, one at a time.",
    printcolumn = r#"{"name":"Cluster","type":"string","jsonPath":".spec.cluster"}"#,
    printcolumn = r#"{"name":"Schedule","type":"string","jsonPath":".spec.schedule"}"#,
    printcolumn = r#"{"name":"Suspend","type":"boolean","jsonPath":".spec.suspend"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Succeeded","type":"date","jsonPath":".status.lastSuccess"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Next","type":"string","jsonPath":".status.next","priority":1}"#,
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
    "self.cluster == oldSelf.cluster",
    "spec.cluster cannot change: its KvsBackups are of that cluster. Make another KvsBackupSchedule",
)])))]
pub struct KvsBackupScheduleSpec {
    /// The `KvsCluster`, in the same namespace.
    #[schemars(length(min = 1, max = 40))]
    pub cluster: String,

    /// When, as five cron fields in UTC: minute, hour, day of the month, month, day of the week.
    /// `0 3 * * *` is at three every night. A time that was missed is made up for once.
    #[schemars(length(min = 9, max = 128), extend("x-kubernetes-validations" = cron()))]
    pub schedule: String,

    /// How many `KvsBackup`s that are over stay, the newest. The backups themselves are not deleted
    /// with them: nodes delete their own when they are older than `backup_retention`.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 100))]
    pub keep: i32,

    /// Makes none for now. What was missed meanwhile is made up for once.
    #[serde(default)]
    pub suspend: bool,
}

const fn ten() -> i32 {
    10
}

/// What a schedule looks like; what no month has, only the operator knows.
fn cron() -> Value {
    const WRITE: &str = "spec.schedule must be five cron fields in UTC, as in `0 3 * * *`: minute 0-59, \
         hour 0-23, day of the month 1-31, month 1-12, day of the week 0-7; each *, a number, a range \
         a-b, either with a step /n, or a list of those with commas";
    let field = |value: &str| {
        let part = format!("([*]|({value})(-({value}))?)(/[1-9][0-9]?)?");
        format!("{part}(,{part})*")
    };
    let month = "0?[1-9]|1[0-2]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)";
    let weekday = "[0-7]|(?i:sun|mon|tue|wed|thu|fri|sat)";
    let fields = ["[0-5]?[0-9]", "[01]?[0-9]|2[0-3]", "0?[1-9]|[12][0-9]|3[01]", month, weekday];
    let whole = fields.map(field).join(" +");
    rules(&[(&format!("self.matches('^ *{whole} *$')"), WRITE)])
}

/// What became of it so far, and what comes next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KvsBackupScheduleStatus {
    /// `Ready`: whether backups are made, and the last one was not in vain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = by_type)]
    pub conditions: Vec<Condition>,

    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// In a sentence what matters most now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// When a `KvsBackup` was last made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Time>,

    /// When one last succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Time>,

    /// When the next one is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Time>,

    /// The `KvsBackup` that is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<String>,
}
