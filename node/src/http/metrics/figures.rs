//! Figures in the OpenMetrics text format.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::Metrics;

pub(super) const BYTES: Option<&Unit> = Some(&Unit::Bytes);
pub(super) const SECONDS: Option<&Unit> = Some(&Unit::Seconds);

pub(super) fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// Writes figures.
pub(super) struct Figures<'a, 'b>(pub(super) &'a mut DescriptorEncoder<'b>);

impl Figures<'_, '_> {
    pub(super) fn info(
        &mut self,
        name: &str,
        help: &str,
        labels: &impl EncodeLabelSet,
    ) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(labels)
    }

    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: &impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(value)
    }

    pub(super) fn gauges(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: impl IntoIterator<Item = (impl EncodeLabelSet, impl EncodeGaugeValue)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in values {
            encoder.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// 1 for the one of `all` that is so, 0 for the others.
    pub(super) fn state<const N: usize>(
        &mut self,
        name: &'static str,
        help: &str,
        all: [&'static str; N],
        current: &str,
    ) -> fmt::Result {
        let values = all.map(|one| ([(name, one)], u64::from(one == current)));
        self.gauges(name, help, None, values)
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        encoder.encode_counter::<NoLabelSet, _, f64>(&count, None)
    }

    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        counts: impl IntoIterator<Item = (impl EncodeLabelSet, u64)>,
    ) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, help, unit, MetricType::Counter)?;
        for (labels, count) in counts {
            let mut encoder = encoder.encode_family(&labels)?;
            encoder.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
        }
        Ok(())
    }

    pub(super) fn latencies(&mut self, metrics: &Metrics) -> fmt::Result {
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
