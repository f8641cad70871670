//! What is counted, and whether the operator lives.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

/// What was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

/// What a step was for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

/// What failed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failing {
    kind: &'static str,
    reason: &'static str,
}

/// The operator's figures.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    looks: Family<ByKind, Counter>,
    under_way: Gauge<i64, AtomicI64>,
    steps: Family<ByReason, Counter>,
    errors: Family<Failing, Counter>,
    seconds: Histogram,
    leader: Gauge<i64, AtomicI64>,
    unserved: Gauge<i64, AtomicI64>,
    memory: Gauge<i64, AtomicI64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let looks = Family::<ByKind, Counter>::default();
        let under_way = Gauge::default();
        let steps = Family::<ByReason, Counter>::default();
        let errors = Family::<Failing, Counter>::default();
        // From 5 ms to 20 s.
        let seconds = Histogram::new(exponential_buckets(0.005, 2.0, 13));
        let leader = Gauge::default();
        let mut registry = Registry::with_prefix("kvs_operator");
        registry.register("looks", "Looks at what people asked for, by its kind", looks.clone());
        let text = "Looks that go on now. For clusters eight are the most: others wait";
        registry.register("looks_under_way", text, under_way.clone());
        registry.register("steps", "Steps carried out, by what they were for", steps.clone());
        registry.register(
            "errors",
            "Looks and steps that failed, by kind and reason",
            errors.clone(),
        );
        let text = "Time of a look with its step";
        registry.register_with_unit("look", text, Unit::Seconds, seconds.clone());
        registry.register("leader", "Whether this operator is the one that acts", leader.clone());
        let unserved = Gauge::default();
        let text = "Fields of our kinds that the API server drops, since its CRDs are older";
        registry.register("crd_fields_unserved", text, unserved.clone());
        let memory = Gauge::default();
        let text = "Memory of the process in RAM";
        registry.register_with_unit("resident_memory", text, Unit::Bytes, memory.clone());
        Self { registry, looks, under_way, steps, errors, seconds, leader, unserved, memory }
    }
}

impl Metrics {
    /// An object of this kind is looked at, until what is returned is dropped.
    #[must_use]
    pub fn look(&self, kind: &'static str) -> Looking<'_> {
        self.under_way.inc();
        Looking { metrics: self, kind, began: Instant::now() }
    }

    /// A step was carried out.
    pub fn stepped(&self, reason: &'static str) {
        self.steps.get_or_create(&ByReason { reason }).inc();
    }

    /// Something failed about an object of this kind.
    pub fn failed(&self, kind: &'static str, reason: &'static str) {
        self.errors.get_or_create(&Failing { kind, reason }).inc();
    }

    /// Whether this operator is the one that acts.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// So many fields of our kinds are dropped by the API server.
    pub fn unserved(&self, fields: usize) {
        self.unserved.set(i64::try_from(fields).unwrap_or(i64::MAX));
    }

    /// All of it, as Prometheus reads it.
    pub fn text(&self) -> String {
        self.memory.set(resident().unwrap_or_default());
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// A look that goes on. It is counted when it is over, or broken off.
#[derive(Debug)]
pub struct Looking<'a> {
    metrics: &'a Metrics,
    kind: &'static str,
    began: Instant,
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        let Self { metrics, kind, began } = self;
        metrics.under_way.dec();
        metrics.looks.get_or_create(&ByKind { kind }).inc();
        metrics.seconds.observe(began.elapsed().as_secs_f64());
    }
}

/// Bytes of memory that the process has in RAM: the line `VmRSS:     1234 kB` (see `proc_pid_status(5)`),
/// whose unit is 1,024 bytes.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_the_operator_that_dashboards_and_alerts_name_is_there() {
        let metrics = Metrics::default();
        metrics.stepped("Rollout");
        metrics.failed("KvsCluster", "api");
        drop(metrics.look("KvsCluster"));
        let text = metrics.text();
        for file in [
            include_str!("../../charts/kvs-operator/files/dashboard.json"),
            include_str!("../../charts/kvs-operator/files/alerts.yaml"),
        ] {
            let names = file.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
            for name in names.filter(|name| name.starts_with("kvs_operator_")) {
                assert!(text.contains(&format!("\n{name}")), "{name} is not in:\n{text}");
            }
        }
    }

    #[test]
    fn figures_have_names_with_units() {
        let metrics = Metrics::default();
        drop(metrics.look("KvsUser"));
        let going_on = metrics.look("KvsCluster");
        metrics.stepped("Rollout");
        metrics.failed("KvsCluster", "api");
        metrics.leads(true);
        let text = metrics.text();
        for line in [
            "kvs_operator_looks_total{kind=\"KvsUser\"} 1",
            "kvs_operator_looks_under_way 1",
            "kvs_operator_errors_total{kind=\"KvsCluster\",reason=\"api\"} 1",
            "kvs_operator_steps_total{reason=\"Rollout\"} 1",
            "kvs_operator_look_seconds_count 1",
            "kvs_operator_leader 1",
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
        drop(going_on);
        let text = metrics.text();
        assert!(text.contains("kvs_operator_looks_total{kind=\"KvsCluster\"} 1"), "{text}");
        assert!(text.contains("kvs_operator_looks_under_way 0"), "{text}");
    }
}
