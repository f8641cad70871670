//! One connection's life in a run.

use std::sync::Arc;

use tokio::{task::JoinSet, time::Instant};

use super::{LoadError, Plan};
use crate::{
    console::in_full,
    latency::Recording,
    schedule::Alarm,
    target::{AnySession, Endpoint, TargetError},
    workload::{Request, Requests},
};

/// What was counted.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) reads: Recording,
    pub(super) writes: Recording,
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
}

/// Drives all connections of one thread to the end of the run.
pub(super) async fn drive(plan: &Arc<Plan>, thread: usize) -> Result<Tally, LoadError> {
    let connected = connect_all(plan, thread).await;
    plan.ready.wait().await;
    let mut workers = JoinSet::new();
    for worker in connected? {
        workers.spawn(worker.work());
    }
    let mut tally = Tally::new();
    for outcome in workers.join_all().await {
        tally.merge(&outcome?);
    }
    Ok(tally)
}

async fn connect_all(plan: &Arc<Plan>, thread: usize) -> Result<Vec<Worker>, LoadError> {
    let mut workers = Vec::new();
    for connection in plan.connections_of(thread) {
        workers.push(Worker::connect(plan, connection).await?);
    }
    Ok(workers)
}

struct Worker {
    plan: Arc<Plan>,
    endpoint: Endpoint,
    session: AnySession,
    requests: Requests,
    alarm: Alarm,
    tally: Tally,
}

impl Worker {
    async fn connect(plan: &Arc<Plan>, connection: usize) -> Result<Self, LoadError> {
        let values = Arc::clone(&plan.values);
        let endpoint = plan.endpoint_of(connection);
        Ok(Self {
            plan: Arc::clone(plan),
            endpoint,
            session: connect(endpoint).await?,
            requests: Requests::new(&plan.load.workload, values, connection as u64),
            alarm: Alarm::new()?,
            tally: Tally::new(),
        })
    }

    async fn work(mut self) -> Result<Tally, LoadError> {
        let plan = Arc::clone(&self.plan);
        let mut now = Instant::now();
        while let Some(due) = plan.schedule.next(now) {
            self.alarm.wait(due).await?;
            let request = self.requests.draw();
            let outcome = perform(&mut self.session, &request).await;
            now = Instant::now();
            if plan.schedule.counts(due, now) {
                self.record(&request, outcome.as_ref(), now - due);
            }
            if outcome.is_err_and(|error| !error.was_answered()) {
                self.session = connect(self.endpoint).await?;
            }
        }
        Ok(self.tally)
    }

    /// Latency counts from when the request was due, not from when it was made: what a request
    /// waits for its turn is part of what its user waits.
    fn record(
        &mut self,
        request: &Request,
        outcome: Result<&(), &TargetError>,
        latency: std::time::Duration,
    ) {
        match (outcome, request) {
            (Ok(()), Request::Get(_)) => self.tally.reads.add(latency),
            (Ok(()), _) => self.tally.writes.add(latency),
            (Err(error), _) => {
                self.tally.errors += 1;
                self.tally.first_error.get_or_insert_with(|| in_full(error));
            }
        }
    }
}

async fn connect(endpoint: Endpoint) -> Result<AnySession, LoadError> {
    let name = endpoint.protocol.name();
    endpoint.connect().await.map_err(|source| LoadError::Connect { name, source })
}

async fn perform(session: &mut AnySession, request: &Request) -> Result<(), TargetError> {
    match request {
        Request::Get(key) => session.get(key).await,
        Request::Put(key, value) => session.put(key, value).await,
        Request::PutAll(items) => session.put_all(items).await,
    }
}
