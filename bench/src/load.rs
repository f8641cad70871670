//! Many connections that make requests and measure them.

use std::{io, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::sync::{Barrier, oneshot};

use crate::{
    latency::{Latency, Recording},
    number::{float, float_len, whole},
    schedule::{Pace, Schedule, Window},
    target::{Endpoint, TargetError},
    workload::{ValuePool, Workload},
};

mod fill;
mod worker;

pub use fill::fill;

use worker::Tally;

/// The most connections of one run.
pub const MOST_CONNECTIONS: usize = 256;

/// One run of the load generator.
#[derive(Debug, Clone)]
pub struct Load {
    /// The server.
    pub endpoint: Endpoint,
    /// More servers, if connections are to be spread evenly over several.
    pub others: Vec<Endpoint>,
    /// What is asked of it.
    pub workload: Workload,
    /// Connections, each with at most one request under way.
    pub connections: usize,
    /// When requests are made.
    pub pace: Pace,
    /// What of it counts.
    pub window: Window,
    /// Threads that share the connections.
    pub threads: usize,
}

/// Why a run has no figures.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The server cannot be reached.
    #[error("no connection to {name}")]
    Connect {
        /// The server.
        name: &'static str,
        /// Why not.
        source: TargetError,
    },
    /// The machine has no thread or timer to give.
    #[error("the load generator could not start")]
    Start(#[from] io::Error),
    /// Filling failed, so what would be measured is not what was asked for.
    #[error("{name} did not take the keys to be measured with")]
    Fill {
        /// The server.
        name: &'static str,
        /// Why not.
        source: TargetError,
    },
    /// A thread of the load generator ended early, which is a bug of its own.
    #[error("a thread of the load generator ended early")]
    Lost,
}

/// What one run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Requests answered with success, per second.
    pub requests_per_second: f64,
    /// Keys read or written, per second; more than requests for batches.
    pub keys_per_second: f64,
    /// Latency of reads, if there were any.
    pub reads: Option<Latency>,
    /// Latency of writes, if there were any.
    pub writes: Option<Latency>,
    /// Requests that failed.
    pub errors: u64,
    /// How the first of them failed.
    pub first_error: Option<String>,
    /// Arrivals of an open loop that were given up, since the server was too far behind.
    pub given_up: u64,
}

/// Runs the load and waits for its end.
pub async fn run(load: &Load) -> Result<Figures, LoadError> {
    let plan = Arc::new(Plan::new(load));
    let threads = (0..plan.threads).map(|thread| start_thread(&plan, thread));
    let threads: Vec<_> = threads.collect::<io::Result<_>>()?;
    let mut tally = Tally::new();
    for thread in threads {
        tally.merge(&thread.await.map_err(|_closed| LoadError::Lost)??);
    }
    Ok(figures(load, &tally))
}

/// What the threads of one run share.
#[derive(Debug)]
struct Plan {
    load: Load,
    threads: usize,
    values: Arc<ValuePool>,
    schedule: Schedule,
    /// No thread begins before all have their connections.
    ready: Barrier,
}

impl Plan {
    fn new(load: &Load) -> Self {
        let threads = load.threads.clamp(1, load.connections.max(1));
        Self {
            load: load.clone(),
            threads,
            values: Arc::new(ValuePool::new(load.workload.value_size, load.workload.seed)),
            schedule: Schedule::new(load.pace, load.window),
            ready: Barrier::new(threads),
        }
    }

    /// The server that a connection goes to.
    fn endpoint_of(&self, connection: usize) -> Endpoint {
        let others = &self.load.others;
        let place = connection % (others.len() + 1);
        place.checked_sub(1).map_or(self.load.endpoint, |place| others[place])
    }

    /// The numbers of the connections that belong to a thread.
    fn connections_of(&self, thread: usize) -> impl Iterator<Item = usize> {
        (thread..self.load.connections.max(1)).step_by(self.threads)
    }
}

type Outcome = Result<Tally, LoadError>;

/// A thread has a runtime of its own, so that no connection ever moves to another.
fn start_thread(plan: &Arc<Plan>, thread: usize) -> io::Result<oneshot::Receiver<Outcome>> {
    let (done, outcome) = oneshot::channel();
    let plan = Arc::clone(plan);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("load-{thread}")).spawn(move || {
        done.send(runtime.block_on(worker::drive(&plan, thread))).ok();
    })?;
    Ok(outcome)
}

fn figures(load: &Load, tally: &Tally) -> Figures {
    let seconds = load.window.length.max(Duration::from_millis(1)).as_secs_f64();
    let (reads, writes) = (tally.reads.figures(), tally.writes.figures());
    let count = |latency: Option<Latency>| latency.map_or(0.0, |latency| float(latency.count));
    let keys = count(reads) + count(writes) * float_len(load.workload.batch);
    Figures {
        requests_per_second: (count(reads) + count(writes)) / seconds,
        keys_per_second: keys / seconds,
        reads,
        writes,
        errors: tally.errors,
        first_error: tally.first_error.clone(),
        given_up: given_up(load, tally),
    }
}

/// What was due in an open loop and yet neither succeeded nor failed.
fn given_up(load: &Load, tally: &Tally) -> u64 {
    let Pace::Open(rate) = load.pace else { return 0 };
    let due = whole(rate * load.window.length.as_secs_f64());
    due.saturating_sub(tally.reads.count() + tally.writes.count() + tally.errors)
}

/// Half of the processors: the server needs the others.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

impl Tally {
    fn new() -> Self {
        Self { reads: Recording::new(), writes: Recording::new(), errors: 0, first_error: None }
    }

    fn merge(&mut self, other: &Self) {
        self.reads.merge(&other.reads);
        self.writes.merge(&other.writes);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or_else(|| other.first_error.clone());
    }
}

#[cfg(test)]
mod tests;
