//! When requests are due.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

mod alarm;

pub use alarm::Alarm;

/// How the next request of a connection comes about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Pace {
    /// As soon as the last one is answered: shows what a server can do.
    Closed,
    /// At fixed times, so many a second over all connections, whether or not the server keeps
    /// up: shows what a user waits, since a stalled server does not stall the users.
    Open(f64),
}

/// What part of a run is measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Comes first and does not count: connections settle, caches fill.
    pub warmup: Duration,
    /// What counts.
    pub length: Duration,
}

impl Window {
    /// Whether something so long after the start counts.
    pub fn counts(self, since_start: Duration) -> bool {
        since_start >= self.warmup && since_start < self.end()
    }

    /// When the last request may begin.
    pub fn end(self) -> Duration {
        self.warmup + self.length
    }

    /// When requests that are due but not yet made are given up: a server that cannot keep up
    /// would otherwise be waited for without end.
    pub fn patience(self) -> Duration {
        self.end() + self.length
    }
}

/// The common clock of all connections of one run.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    window: Window,
    start: OnceLock<Instant>,
    arrivals: AtomicU64,
}

impl Schedule {
    /// A schedule that begins when it is first asked.
    pub fn new(pace: Pace, window: Window) -> Self {
        Self { pace, window, start: OnceLock::new(), arrivals: AtomicU64::new(0) }
    }

    /// When the run began, which is now for whoever asks first.
    pub fn start(&self) -> Instant {
        *self.start.get_or_init(Instant::now)
    }

    /// When the next request is due, or nothing once the run is over.
    ///
    /// In an open loop every arrival belongs to exactly one of those who ask, so any idle
    /// connection takes the next. In a closed loop a request is due when it is asked for.
    pub fn next(&self, now: Instant) -> Option<Instant> {
        let due = match self.pace {
            Pace::Closed => now,
            Pace::Open(rate) => self.start() + self.arrival(rate),
        };
        let over = due >= self.start() + self.window.end();
        let hopeless = now >= self.start() + self.window.patience();
        (!over && !hopeless).then_some(due)
    }

    /// Whether a request counts: by its end in a closed loop, which is how throughput is
    /// counted, by when it was due in an open one, so that the slowest are not left out.
    pub fn counts(&self, due: Instant, end: Instant) -> bool {
        let decisive = match self.pace {
            Pace::Closed => end,
            Pace::Open(_) => due,
        };
        self.window.counts(decisive.saturating_duration_since(self.start()))
    }

    fn arrival(&self, rate: f64) -> Duration {
        let number = self.arrivals.fetch_add(1, Ordering::Relaxed);
        let seconds = crate::number::float(number) / rate;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window =
        Window { warmup: Duration::from_secs(1), length: Duration::from_secs(2) };

    fn millis_of_arrivals(schedule: &Schedule) -> Vec<u128> {
        let start = schedule.start();
        std::iter::from_fn(|| schedule.next(start)).map(|due| (due - start).as_millis()).collect()
    }

    #[test]
    fn arrivals_are_evenly_spaced_until_the_end() {
        let schedule = Schedule::new(Pace::Open(4.0), WINDOW);
        let expected: Vec<u128> = (0..12).map(|number| number * 250).collect();
        assert_eq!(millis_of_arrivals(&schedule), expected);
    }

    #[test]
    fn a_late_caller_gets_the_time_that_was_due_and_not_the_time_it_asked() {
        let schedule = Schedule::new(Pace::Open(4.0), WINDOW);
        let start = schedule.start();
        schedule.next(start);
        let late = start + Duration::from_millis(2_900);
        assert_eq!(schedule.next(late), Some(start + Duration::from_millis(250)));
    }

    #[test]
    fn a_server_that_cannot_keep_up_is_not_waited_for_without_end() {
        let schedule = Schedule::new(Pace::Open(1_000.0), WINDOW);
        let start = schedule.start();
        assert!(schedule.next(start + Duration::from_millis(4_999)).is_some());
        assert_eq!(schedule.next(start + Duration::from_secs(5)), None);
    }

    #[test]
    fn a_closed_loop_is_due_when_it_asks_until_the_end() {
        let schedule = Schedule::new(Pace::Closed, WINDOW);
        let start = schedule.start();
        let last = start + Duration::from_millis(2_999);
        assert_eq!(schedule.next(last), Some(last));
        assert_eq!(schedule.next(start + Duration::from_secs(3)), None);
    }

    #[test]
    fn the_warmup_does_not_count() {
        let closed = Schedule::new(Pace::Closed, WINDOW);
        let start = closed.start();
        let at = |millis| start + Duration::from_millis(millis);
        assert!(!closed.counts(at(0), at(999)));
        assert!(closed.counts(at(0), at(1_000)));
        assert!(!closed.counts(at(2_900), at(3_000)));
    }

    #[test]
    fn an_open_loop_counts_what_was_due_in_time_however_long_it_took() {
        let open = Schedule::new(Pace::Open(1.0), WINDOW);
        let start = open.start();
        let at = |millis| start + Duration::from_millis(millis);
        assert!(open.counts(at(2_999), at(9_000)));
        assert!(!open.counts(at(999), at(1_500)));
    }
}
