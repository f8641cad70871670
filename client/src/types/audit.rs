//! The tamper-evident log of a node.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The answer of `GET /api/audit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditPage {
    /// The head that the entries are under.
    pub head: AuditHead,
    /// Entries, oldest first.
    pub entries: Vec<AuditEntry>,
    /// `from` of the next page; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// The answer of `GET /api/audit/head`: what the node signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditHead {
    /// Of which cluster; all zeros for a node without one.
    pub cluster: Uuid,
    /// Whose log.
    pub node: Uuid,
    /// How many entries it has.
    pub size: u64,
    /// The root of the Merkle tree (RFC 6962) over them, as hexadecimal digits.
    pub root: String,
    /// When it was signed, in Unix milliseconds.
    pub time: u64,
    /// The Ed25519 signature, as hexadecimal digits.
    pub signature: String,
    /// The key that it is signed with, as hexadecimal digits.
    pub key: String,
    /// With `since`: the proof that the log goes on from that size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Vec<String>>,
    /// What this node keeps of the logs of others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<AuditPeer>,
}

/// What a node keeps of another's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditPeer {
    /// Whose log.
    pub node: Uuid,
    /// How many entries the last head has that went on from the ones before.
    pub size: u64,
    /// When that was signed, in Unix milliseconds.
    pub time: u64,
    /// How it is known that the node rewrote its log, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<String>,
    /// Since when it shows its log no more, in Unix milliseconds, though it answers otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<u64>,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Its place in the log, counted from 0.
    pub sequence: u64,
    /// When, in Unix milliseconds of the node's clock.
    pub time: u64,
    /// What happened: `write`, `delete`, `metadata`, `denial`, `admin`, `token-use`,
    /// `account-applied`, `login-failures`, `started` or `peer-rewrote`.
    pub event: String,
    /// The version, token or node that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    /// The right that was used or lacking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<String>,
    /// How many logins failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Who did it: `anonymous`, `socket`, `node`, or `user`, `address` or `peer` with a colon and
    /// which.
    pub subject: String,
    /// The keyed hash of the record that it was done to; `key` asks for the entries of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How it ended: `done`, `refused` or `failed`.
    pub outcome: String,
    /// The leaf hash.
    pub hash: String,
    /// What that is the hash of, as hexadecimal digits.
    pub bytes: String,
    /// With `proofs`: that the entry is under the head, from the leaf up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Vec<String>>,
}
