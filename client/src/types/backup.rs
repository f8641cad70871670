//! Backups of a node.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A backup that was made, as its manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Backup {
    /// Its name.
    pub name: String,
    /// The instant that it shows, in Unix milliseconds; left out where it is damaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<u64>,
    /// The node that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Uuid>,
    /// The cluster that the node was of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Uuid>,
    /// Bytes that it takes.
    pub size: u64,
    /// Records in it, deleted ones that are remembered included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// The root of the digest tree over them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Why it cannot be restored, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
}

/// The answer of `GET /api/backups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Backups {
    /// Where they are: a folder, or `s3://bucket/prefix`.
    pub target: String,
    /// All that are there, of other nodes too, newest first.
    pub backups: Vec<Backup>,
}

/// The answer of `POST /api/backups`: a backup is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BackupStarted {
    /// The name that it will have.
    pub name: String,
}

/// The answer of `GET /api/backup/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BackupStatus {
    /// Where backups go.
    pub target: String,
    /// When they are made, as five cron fields in UTC; left out, on demand only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// When the next one is due, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The one that is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<BackupProgress>,
    /// The last one of this node that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Backup>,
    /// How long that took, in milliseconds; left out if it was before this start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_duration: Option<u64>,
    /// The last one that failed, since the node started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<BackupFailure>,
    /// How many were made since the node started.
    pub made: u64,
    /// How many failed since the node started.
    pub failed: u64,
}

/// How far a backup is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BackupProgress {
    /// Its name.
    pub name: String,
    /// Bytes that were read of those in `total`.
    pub done: u64,
    /// Bytes to read; 0 until that is known.
    pub total: u64,
}

/// A backup that was not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BackupFailure {
    /// The name that it would have.
    pub name: String,
    /// When it failed, in Unix milliseconds.
    pub at: u64,
    /// Why.
    pub reason: String,
}
