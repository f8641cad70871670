//! What the API server knows: all fields of our kinds, and those of others that we would use. It is asked now
//! and then: CRDs may come later than the operator.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::Request;
use kube::Client;
use kvs_operator_core::crd::unserved;
use serde_json::Value;

use crate::metrics::Metrics;

/// How often it is asked.
const EVERY: Duration = Duration::from_mins(2);
/// Where it says what it knows. Whoever is authenticated may read it.
const DOCUMENT: &str = "/openapi/v3/apis/kvs.kalzu.dev/v1alpha1";
/// So many fields are named to people.
const NAMED: usize = 5;

/// What was found last.
#[derive(Clone, Debug, Default)]
pub struct Served {
    lacking: Arc<RwLock<Option<String>>>,
    monitors: Arc<AtomicBool>,
}

impl Served {
    /// The fields that are dropped, in words; nothing if there are none.
    pub fn lacking(&self) -> Option<String> {
        self.lacking.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it knows `ServiceMonitor`.
    pub fn monitors(&self) -> bool {
        self.monitors.load(Ordering::Relaxed)
    }

    /// Asks whether it knows `ServiceMonitor`. One that does not answer knows what it knew.
    pub async fn look_for_monitors(&self, client: &Client) {
        match client.list_api_group_resources("monitoring.coreos.com/v1").await {
            Ok(list) => {
                let known = list.resources.iter().any(|one| one.kind == "ServiceMonitor");
                self.monitors.store(known, Ordering::Relaxed);
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {
                self.monitors.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::warn!(%error, "the API server does not say which kinds it knows");
            }
        }
    }

    /// Asks for as long as it is not dropped.
    pub async fn follow(&self, client: &Client, metrics: &Metrics) {
        loop {
            match document(client).await {
                Ok(document) => self.found(&unserved(&document), metrics),
                Err(error) => {
                    tracing::warn!(%error, "the API server does not say which fields it knows");
                }
            }
            tokio::time::sleep(EVERY).await;
            self.look_for_monitors(client).await;
        }
    }

    fn found(&self, lacking: &[String], metrics: &Metrics) {
        metrics.unserved(lacking.len());
        let now = (!lacking.is_empty()).then(|| words(lacking));
        if now == self.lacking() {
            return;
        }
        if let Some(fields) = &now {
            tracing::error!(fields, "the CRDs are older than this operator: apply its own");
        } else {
            tracing::info!("the API server knows all fields");
        }
        *self.lacking.write().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

async fn document(client: &Client) -> Result<Value, kube::Error> {
    let request = Request::get(DOCUMENT).body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request(request).await
}

fn words(lacking: &[String]) -> String {
    let named = lacking.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match lacking.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_told_until_it_is_known() {
        let (served, metrics) = (Served::default(), Metrics::default());
        let fields: Vec<String> = (0..7).map(|number| format!("f{number}")).collect();
        served.found(&fields, &metrics);
        assert_eq!(served.lacking().unwrap(), "f0, f1, f2, f3, f4 and 2 more");
        assert!(metrics.text().contains("kvs_operator_crd_fields_unserved 7"));
        served.found(&[], &metrics);
        assert_eq!(served.lacking(), None);
    }
}
