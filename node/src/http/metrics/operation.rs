//! What is counted of one operation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;

/// Upper bounds of the latency buckets: from a value in the cache to a request at its timeout.
const BOUNDS: [Duration; 14] = [
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(10),
];

/// Names of the classes of status codes.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests and how long they took.
#[derive(Debug, Default)]
pub(super) struct Operation {
    by_class: [AtomicU64; CLASSES.len()],
    /// Per bound those at or below it and above the one before, then those above all.
    by_latency: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Operation {
    /// Counts a request.
    pub(super) fn note(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1).min(CLASSES.len() - 1);
        self.by_class[class].fetch_add(1, Ordering::Relaxed);
        let bucket = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        self.by_latency[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Whether it was ever called.
    pub(super) fn was_called(&self) -> bool {
        self.by_class().next().is_some()
    }

    /// How many requests had which class of status.
    pub(super) fn by_class(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.by_class.iter().map(|count| count.load(Ordering::Relaxed));
        CLASSES.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// How long they took.
    pub(super) fn latency(&self) -> Latency {
        let bounds = BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let counts = self.by_latency.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64();
        Latency { sum, count, buckets }
    }
}

/// A histogram.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Latency {
    /// In seconds.
    pub(super) sum: f64,
    pub(super) count: u64,
    /// Upper bounds in seconds, and how many lie between each and the one before.
    pub(super) buckets: Vec<(f64, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_once_in_its_class_and_in_the_bucket_that_it_fills() {
        let operation = Operation::default();
        assert!(!operation.was_called());
        operation.note(StatusCode::OK, Duration::from_micros(50));
        operation.note(StatusCode::CREATED, Duration::from_nanos(50_001));
        operation.note(StatusCode::NOT_FOUND, Duration::from_secs(11));
        let classes: Vec<_> = operation.by_class().collect();
        assert_eq!(classes, [("2xx", 2), ("4xx", 1)]);
        let Latency { sum, count, buckets } = operation.latency();
        assert_eq!((count, buckets[0].1, buckets[1].1), (3, 1, 1));
        assert_eq!(buckets.last().map(|(_, count)| *count), Some(1));
        assert!((sum - 11.000_100_001).abs() < 1e-9, "{sum}");
    }
}
