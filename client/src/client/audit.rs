//! The tamper-evident log of the node.

use reqwest::Method;

use super::Client;
use crate::{AuditHead, AuditPage, ClientError};

/// Which entries of the log are asked for.
#[derive(Clone, Debug, Default)]
pub struct AuditOptions {
    /// The first; from the beginning if it is left out.
    pub from: Option<u64>,
    /// How many at most.
    pub limit: Option<usize>,
    /// Only those about this key.
    pub key: Option<String>,
    /// Whether each is to come with its proof.
    pub proofs: bool,
}

impl Client {
    /// Entries of the log.
    ///
    /// # Errors
    /// When the caller may not see them, or the node keeps no log.
    pub async fn audit(&self, options: &AuditOptions) -> Result<AuditPage, ClientError> {
        let mut url = self.route("api/audit");
        {
            let mut query = url.query_pairs_mut();
            if let Some(from) = options.from {
                query.append_pair("from", &from.to_string());
            }
            if let Some(limit) = options.limit {
                query.append_pair("limit", &limit.to_string());
            }
            if let Some(key) = &options.key {
                query.append_pair("key", key);
            }
            if options.proofs {
                query.append_pair("proofs", "true");
            }
        }
        self.call(self.request(Method::GET, url)).await
    }

    /// The signed head of the log, with the proof that it goes on from `since`.
    ///
    /// # Errors
    /// When the caller may not see it, or the node keeps no log.
    pub async fn audit_head(&self, since: Option<u64>) -> Result<AuditHead, ClientError> {
        let mut url = self.route("api/audit/head");
        if let Some(since) = since {
            url.query_pairs_mut().append_pair("since", &since.to_string());
        }
        self.call(self.request(Method::GET, url)).await
    }
}
