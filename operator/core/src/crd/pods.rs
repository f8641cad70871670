//! Words about pods.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When an image is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// At every start.
    Always,
    /// Unless it is there.
    IfNotPresent,
    /// Never: it must be there.
    Never,
}

impl PullPolicy {
    /// As Kubernetes spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}
