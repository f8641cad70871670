//! All figures, as they are when somebody asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kvs_core::Superseded;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::process;
use crate::http::shared::Shared;
use crate::node::{Mode, Node};

/// Where the figures come from.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) node: Arc<Node>,
    pub(super) shared: Arc<Shared>,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = &mut Figures(&mut encoder);
        self.node(figures)?;
        self.requests(figures)?;
        self.writer(figures)?;
        self.store(figures)?;
        self.backups(figures)
    }
}

impl Scrape {
    fn node(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        figures.info("build", "The program", &build)?;
        let started = i64::try_from(self.node.started().0 / 1_000).unwrap_or(i64::MAX);
        figures.gauge("start_time", "Unix time at which the node started", SECONDS, &started)?;
        let current = self.node.mode();
        let modes =
            [Mode::Normal, Mode::ReadOnly].map(|mode| (mode.name(), u64::from(mode == current)));
        figures.gauges("mode", "1 for what the node does with requests", None, "mode", modes)?;
        match process::resident_bytes() {
            Some(bytes) => {
                figures.gauge("resident_memory", "Memory of the process in RAM", BYTES, &bytes)
            }
            None => Ok(()),
        }
    }

    fn requests(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let metrics = &self.shared.metrics;
        let counts = metrics.called().flat_map(|(name, operation)| {
            operation
                .by_class()
                .map(move |(class, count)| ([("operation", name), ("status", class)], count))
        });
        figures.counters("requests", "Requests that were answered", counts)?;
        figures.latencies(metrics)?;
        let open = self.shared.streams.open() as u64;
        figures.gauge("streams_open", "Streams of changes that are open", None, &open)
    }

    fn writer(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let of = self.node.writer().figures();
        figures.counter("commits", "Versions that were committed", &of.commits)?;
        figures.counter(
            "commit_groups",
            "Groups of writes, each one flush when durability is sync",
            &of.groups,
        )?;
        figures.counter("collected", "Dead records that were forgotten", &of.collected)?;
        let superseded = Superseded::ALL.iter().zip(&of.superseded);
        let superseded =
            superseded.map(|(reason, count)| ([("reason", reason.name())], load(count)));
        figures.counters("superseded", "Versions that lost against another", superseded)?;
        let waiting = of.waiting_bytes.load(Ordering::Relaxed) as u64;
        figures.gauge("write_queue", "Writes that wait", BYTES, &waiting)?;
        let sequence = *self.node.writer().committed().borrow();
        figures.gauge("commit_sequence", "The number of the last commit", None, &sequence)
    }

    fn store(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let ready = u64::from(self.node.digest().is_ready());
        figures.gauge("digest_ready", "1 once the digest tree covers the store", None, &ready)?;
        let sizes = self.node.store().sizes();
        figures.gauges("store", "What the store takes, on disk and in memory", BYTES, "part", sizes)
    }

    fn backups(&self, figures: &mut Figures<'_, '_>) -> fmt::Result {
        let status = self.node.backups().status();
        let results = [("success", status.made), ("failure", status.failed)];
        let results = results.into_iter().map(|(result, count)| ([("result", result)], count));
        figures.counters("backups", "Backups that were tried since the start", results)?;
        let running = u64::from(status.running.is_some());
        figures.gauge("backup_running", "1 while a backup is being made", None, &running)?;
        if let Some(last) = status.last_success {
            let at = last.created.unwrap_or(0) / 1_000;
            let help = "Unix time of this node's last backup that is whole";
            figures.gauge("backup_last_success_time", help, SECONDS, &at)?;
            figures.gauge("backup_last_size", "What it takes", BYTES, &last.size)?;
        }
        if let Some(took) = status.last_duration {
            let took = Duration::from_millis(took).as_secs_f64();
            figures.gauge("backup_last_duration", "How long it took", SECONDS, &took)?;
        }
        Ok(())
    }
}

const BYTES: Option<&Unit> = Some(&Unit::Bytes);
const SECONDS: Option<&Unit> = Some(&Unit::Seconds);

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// Writes figures.
struct Figures<'a, 'b>(&'a mut DescriptorEncoder<'b>);

impl Figures<'_, '_> {
    fn info(&mut self, name: &str, help: &str, labels: &impl EncodeLabelSet) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(labels)
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: &impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(value)
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        label: &'static str,
        values: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (of, value) in values {
            encoder.encode_family(&[(label, of)])?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, count: &AtomicU64) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        encoder.encode_counter::<NoLabelSet, _, f64>(&load(count), None)
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        counts: impl Iterator<Item = (impl EncodeLabelSet, u64)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in counts {
            let mut encoder = encoder.encode_family(&labels)?;
            encoder.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
        }
        Ok(())
    }

    fn latencies(&mut self, metrics: &super::Metrics) -> fmt::Result {
        let help = "Time from a request's head to its answer's";
        let kind = MetricType::Histogram;
        let mut encoder = self.0.encode_descriptor("request_duration", help, SECONDS, kind)?;
        for (name, operation) in metrics.called() {
            let latency = operation.latency();
            let labels = [("operation", name)];
            let mut encoder = encoder.encode_family(&labels)?;
            encoder.encode_histogram::<NoLabelSet>(
                latency.sum,
                latency.count,
                &latency.buckets,
                None,
            )?;
        }
        Ok(())
    }
}
