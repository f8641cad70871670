//! What a benchmark found.

use std::time::Duration;

use serde::Serialize;

use super::Bench;
use crate::cli::Done;
use crate::cli::output::{self, Table};

/// How long each request took.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) reads: Vec<Duration>,
    pub(super) writes: Vec<Duration>,
    pub(super) refused: u64,
}

/// Figures of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    seconds: f64,
    reads: Option<Figures>,
    writes: Option<Figures>,
    refused: u64,
}

/// Figures of one kind of request. Times are in microseconds.
#[derive(Debug, Serialize)]
struct Figures {
    count: usize,
    per_second: f64,
    p50: u128,
    p99: u128,
    p999: u128,
    max: u128,
}

impl Times {
    pub(super) fn add(&mut self, other: Self) {
        self.reads.extend(other.reads);
        self.writes.extend(other.writes);
        self.refused += other.refused;
    }

    pub(super) fn report(self, took: Duration) -> Report {
        Report {
            seconds: took.as_secs_f64(),
            reads: Figures::of(self.reads, took),
            writes: Figures::of(self.writes, took),
            refused: self.refused,
        }
    }
}

impl Figures {
    /// Nothing for no requests.
    fn of(mut times: Vec<Duration>, took: Duration) -> Option<Self> {
        times.sort_unstable();
        // The least time that at least so many of a thousand requests did not exceed.
        let at = |permille: usize| {
            let rank = (times.len() * permille).div_ceil(1_000).max(1);
            times.get(rank - 1).map(Duration::as_micros)
        };
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let per_second = times.len() as f64 / took.as_secs_f64();
        let (p50, p99, p999, max) = (at(500)?, at(990)?, at(999)?, at(1_000)?);
        Some(Self { count: times.len(), per_second, p50, p99, p999, max })
    }

    fn cells(&self, name: &str) -> [String; 7] {
        let Self { count, per_second, p50, p99, p999, max } = self;
        let micros = |time: &u128| format!("{time} µs");
        let rate = format!("{per_second:.0}/s");
        [name.into(), count.to_string(), rate, micros(p50), micros(p99), micros(p999), micros(max)]
    }
}

impl Report {
    pub(super) fn print(&self, bench: &Bench) -> Done {
        let Bench { connections, size, keys, reads, .. } = bench;
        output::line(format_args!(
            "{connections} connections, {keys} keys, values of {size} bytes, {reads} % reads, \
             {:.1} s, closed loop",
            self.seconds
        ))?;
        let mut table = Table::new(["REQUEST", "COUNT", "RATE", "P50", "P99", "P99.9", "MAX"]);
        let kinds = [("get", &self.reads), ("put", &self.writes)];
        for (name, figures) in kinds {
            if let Some(figures) = figures {
                table.row(figures.cells(name));
            }
        }
        table.print()?;
        match self.refused {
            0 => Ok(()),
            refused => output::line(format_args!("{refused} requests were refused")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_occurred() {
        let times = (1..=1_000).map(Duration::from_micros).collect();
        let figures = Figures::of(times, Duration::from_secs(2)).unwrap();
        assert_eq!((figures.p50, figures.p99, figures.p999, figures.max), (500, 990, 999, 1_000));
        assert!((figures.per_second - 500.0).abs() < f64::EPSILON);
        assert!(Figures::of(Vec::new(), Duration::from_secs(1)).is_none());
    }
}
