//! What the operator asks a node in the name of whoever owns the cluster, and what it is answered.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A request of the API, on the peer port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayRequest {
    /// The node that is meant: another one at this address does nothing.
    pub node: Uuid,
    /// The method, such as `POST`.
    pub method: String,
    /// Path and query, such as `/api/users/ann`.
    pub path: String,
    /// The body; nothing where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// What the API answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayAnswer {
    /// The status.
    pub status: u16,
    /// The body; `null` where there is none.
    pub body: Value,
}
