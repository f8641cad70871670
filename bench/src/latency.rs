//! How long requests took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::number::{float, microseconds};

/// The longest latency told apart, in microseconds: a minute.
const LONGEST: u64 = 60_000_000;

/// Significant digits: one in a thousand.
const DIGITS: u8 = 3;

/// A recording of latencies.
#[derive(Debug, Clone)]
pub struct Recording(Histogram<u32>);

impl Recording {
    /// An empty one.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST, DIGITS);
        Self(histogram.expect("the bounds are in order and the digits at most 5"))
    }

    /// Adds one; longer than a minute counts as a minute.
    pub fn add(&mut self, latency: Duration) {
        self.0.saturating_record(microseconds(latency));
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all recordings have the same bounds");
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What it comes to, or nothing if it is empty.
    pub fn figures(&self) -> Option<Latency> {
        if self.0.is_empty() {
            return None;
        }
        let at = |quantile| float(self.0.value_at_quantile(quantile));
        Some(Latency {
            count: self.0.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: float(self.0.max()),
        })
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

/// Quantiles of latencies, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// How many requests.
    pub count: u64,
    /// Half of them took at most this.
    pub p50: f64,
    /// 90 of 100.
    pub p90: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p999: f64,
    /// All of them.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(micros: impl IntoIterator<Item = u64>) -> Recording {
        let mut recording = Recording::new();
        micros.into_iter().for_each(|micro| recording.add(Duration::from_micros(micro)));
        recording
    }

    fn near(measured: f64, expected: f64) -> bool {
        (measured - expected).abs() <= expected / 1_000.0 + 1.0
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let latency = recording(1..=10_000).figures().expect("it is not empty");
        assert_eq!(latency.count, 10_000);
        let pairs = [(latency.p50, 5_000.0), (latency.p99, 9_900.0), (latency.max, 10_000.0)];
        assert!(pairs.into_iter().all(|(measured, expected)| near(measured, expected)));
    }

    #[test]
    fn merging_is_recording_together() {
        let mut merged = recording(1..=100);
        merged.merge(&recording(101..=200));
        assert_eq!(merged.figures(), recording(1..=200).figures());
    }

    #[test]
    fn what_exceeds_a_minute_counts_as_a_minute() {
        let latency = recording([LONGEST * 10]).figures().expect("it is not empty");
        assert!(near(latency.max, float(LONGEST)));
    }

    #[test]
    fn an_empty_recording_has_no_figures() {
        assert_eq!(Recording::new().figures(), None);
    }
}
