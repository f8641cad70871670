//! Load: writers and readers that each send one request at a time, at an even pace.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::seq::IndexedRandom as _;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ledger::{Entry, Ledger};
use crate::failure::Failure;
use crate::load::{Order, Report};

/// How many write, and how many read.
const WORKERS: u32 = 16;
/// Failures that are told of in words.
const EXAMPLES: usize = 20;

/// Load that flows, or that flowed.
#[derive(Debug)]
pub(super) struct Traffic {
    ledger: Ledger,
    /// Writes a second, and reads.
    ordered: [u32; 2],
    counts: Arc<Counts>,
    began: Instant,
    took: Option<Duration>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Counts {
    began: Instant,
    written: AtomicU64,
    read: AtomicU64,
    failed: AtomicU64,
    longest: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// What a worker needs.
#[derive(Clone)]
struct Worker {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    keys: Vec<Arc<Entry>>,
    counts: Arc<Counts>,
}

impl Traffic {
    pub(super) fn begin(http: &reqwest::Client, order: &Order, mut ledger: Ledger) -> Self {
        let counts = Arc::new(Counts::new());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        for number in 0..WORKERS {
            let keys = ledger.of_writer(&order.prefix, number);
            let (http, url, token) = (http.clone(), order.url.clone(), order.token.clone());
            let worker = Worker { http, url, token, keys, counts: counts.clone() };
            if let Some(pace) = pace(order.writes) {
                tasks.spawn(stop.clone().run_until_cancelled_owned(worker.clone().write(pace)));
            }
            if let Some(pace) = pace(order.reads) {
                tasks.spawn(stop.clone().run_until_cancelled_owned(worker.read(pace)));
            }
        }
        tasks.close();
        let ordered = [order.writes, order.reads];
        Self { ledger, ordered, counts, began: Instant::now(), took: None, stop, tasks }
    }

    pub(super) const fn flows(&self) -> bool {
        self.took.is_none()
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    pub(super) fn into_ledger(self) -> Ledger {
        self.ledger
    }

    pub(super) async fn end(&mut self) -> Report {
        self.stop.cancel();
        self.tasks.wait().await;
        self.took = self.took.or(Some(self.began.elapsed()));
        self.report()
    }

    pub(super) fn report(&self) -> Report {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        Report {
            ordered: self.ordered,
            seconds: self.took.unwrap_or_else(|| self.began.elapsed()).as_secs_f64(),
            written: load(&counts.written),
            read: load(&counts.read),
            failed: load(&counts.failed),
            failures: counts.failures.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            longest: load(&counts.longest),
        }
    }
}

/// Whoever was held up by a slow answer makes up for it: over time the rate is the one that was ordered.
fn steady(pace: Duration) -> Interval {
    let mut ticks = interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    ticks
}

/// Time between two requests of one worker.
fn pace(each_second: u32) -> Option<Duration> {
    (each_second > 0).then(|| Duration::from_secs(1) * WORKERS / each_second)
}

impl Worker {
    async fn write(self, pace: Duration) {
        let mut ticks = steady(pace);
        for entry in self.keys.iter().cycle() {
            ticks.tick().await;
            let number = entry.next();
            let request = self.http.put(self.at(entry)).header("content-type", "application/json");
            let body = format!("{{\"n\":{number},\"pad\":\"{}\"}}", "x".repeat(200));
            match self.send(request.body(body), &[200, 201, 204]).await {
                Ok(()) => {
                    entry.acknowledge(number);
                    self.counts.written.fetch_add(1, Ordering::Relaxed);
                }
                Err(failure) => self.counts.fail(&format!("PUT {}: {failure}", entry.name)),
            }
        }
    }

    async fn read(self, pace: Duration) {
        let mut ticks = steady(pace);
        loop {
            ticks.tick().await;
            let Some(entry) = self.keys.choose(&mut rand::rng()) else { return };
            // What was written a moment ago may not be everywhere yet.
            match self.send(self.http.get(self.at(entry)), &[200, 404]).await {
                Ok(()) => {
                    self.counts.read.fetch_add(1, Ordering::Relaxed);
                }
                Err(failure) => self.counts.fail(&format!("GET {}: {failure}", entry.name)),
            }
        }
    }

    fn at(&self, entry: &Entry) -> String {
        format!("{}/kv/{}", self.url, entry.name)
    }

    async fn send(&self, request: reqwest::RequestBuilder, fine: &[u16]) -> Result<(), Failure> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let began = Instant::now();
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await?;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.counts.longest.fetch_max(took, Ordering::Relaxed);
        if fine.contains(&status) {
            return Ok(());
        }
        Err(Failure::new(format!("{status} {}", String::from_utf8_lossy(&body))))
    }
}

impl Counts {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            failures: Mutex::default(),
        }
    }

    fn fail(&self, text: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < EXAMPLES {
            failures.push(format!("{:.1} s: {text}", self.began.elapsed().as_secs_f64()));
        }
    }
}
