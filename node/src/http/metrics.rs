//! `GET /metrics`: figures in the OpenMetrics text format. No keys, no values: labels come from the
//! route table and other closed sets.

mod cluster;
mod figures;
mod operation;
mod process;
mod scrape;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use self::operation::Operation;
use self::scrape::Scrape;
use super::page::answer;
use super::{Answer, Call, Problem, ROUTES, Route};
use crate::node::ReadError;

/// The media type of the OpenMetrics text format.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is counted of requests, by operation. The rows are made before the first request, so that
/// counting one is a few additions without a lock.
#[derive(Debug)]
pub struct Metrics {
    /// In the order of the route table.
    operations: Box<[Operation]>,
    /// Requests that no route answers.
    nowhere: Operation,
    /// Denials: of credentials, and of what known callers may not do.
    denials: [AtomicU64; 2],
}

impl Default for Metrics {
    fn default() -> Self {
        let operations = ROUTES.iter().map(|_route| Operation::default()).collect();
        Self { operations, nowhere: Operation::default(), denials: Default::default() }
    }
}

impl Metrics {
    /// Counts a request that was answered.
    pub fn note(&self, route: Option<&'static Route>, status: StatusCode, took: Duration) {
        let at = route.and_then(|route| ROUTES.iter().position(|row| std::ptr::eq(row, route)));
        let operation = at.and_then(|at| self.operations.get(at)).unwrap_or(&self.nowhere);
        operation.note(status, took);
    }

    /// Counts a denial: of credentials, or of what a known caller may not do.
    pub fn note_denial(&self, of_credentials: bool) {
        self.denials[usize::from(!of_credentials)].fetch_add(1, Ordering::Relaxed);
    }

    /// Denials by what was denied, as labels spell it.
    fn denials(&self) -> [(&'static str, u64); 2] {
        let count = |at: usize| self.denials[at].load(Ordering::Relaxed);
        [("credentials", count(0)), ("permission", count(1))]
    }

    /// All operations that were called, with their names.
    fn called(&self) -> impl Iterator<Item = (&'static str, &Operation)> {
        let routed = ROUTES.iter().map(|route| route.operation).zip(&self.operations);
        let all = routed.chain([("none", &self.nowhere)]);
        all.filter(|(_, operation)| operation.was_called())
    }
}

/// Tells the figures.
pub(super) async fn serve(call: Call) -> Answer {
    call.query.finish(&[])?;
    let cluster = super::cluster::of(&call.node).await.ok();
    let scrape = Scrape { node: call.node, shared: call.shared, cluster };
    // The store takes locks of its own to tell its sizes.
    let text = tokio::task::spawn_blocking(move || write(scrape)).await.map_err(ReadError::from)?;
    Ok(answer(CONTENT_TYPE, text.map_err(|error| Problem::Internal(error.to_string()))?))
}

fn write(scrape: Scrape) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("kvs");
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}
