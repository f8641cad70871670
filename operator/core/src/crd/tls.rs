//! TLS for clients.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::rules;

/// TLS for clients. Nodes among themselves always use TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[
    (
        "self.mode != 'Secret' || has(self.secretName)",
        "spec.tls.mode is Secret, so spec.tls.secretName must name a Secret with tls.crt and tls.key",
    ),
    (
        "self.mode != 'Off' || !has(self.secretName)",
        "spec.tls.secretName has no effect while spec.tls.mode is Off; write mode: Secret, or leave \
         the name out",
    ),
])))]
pub struct Tls {
    /// Where the certificate is from.
    #[serde(default)]
    pub mode: TlsMode,

    /// A Secret with `tls.crt` and `tls.key`, as cert-manager makes it. Nodes take a new certificate
    /// over without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
}

/// Where the certificate for clients is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TlsMode {
    /// There is none: clients speak plain HTTP.
    #[default]
    Off,
    /// From a Secret.
    Secret,
}
