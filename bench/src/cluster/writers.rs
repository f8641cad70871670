use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rand::{SeedableRng, rngs::SmallRng};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::ClusterError;
use crate::{
    latency::Recording,
    schedule::{Alarm, Pace, Schedule, Window},
    target::{AnySession, Endpoint, TargetError},
    workload::ValuePool,
};

/// Connections that share the writes.
const CONNECTIONS: usize = 24;

/// Longer than anything that is measured.
const ENDLESS: Duration = Duration::from_hours(24);

/// Writes at a fixed rate, in an open loop, until they are told to stop.
#[derive(Debug)]
pub struct Writers {
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<Recording, ClusterError>>,
}

/// A write that was acknowledged.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledged {
    /// The number of the write, from 0 on.
    pub number: u64,
    /// The place of the node in the list of those that are written to.
    pub node: usize,
    /// When the answer was there.
    pub at: Instant,
}

struct Plan {
    schedule: Schedule,
    numbers: AtomicU64,
    values: ValuePool,
}

impl Writers {
    /// Begins to write `rate` values a second, spread over the nodes; `told` hears of each write
    /// that was acknowledged.
    pub async fn start(
        nodes: &[Endpoint],
        rate: f64,
        value_size: usize,
        key: impl Fn(u64) -> String + Send + Sync + 'static,
        told: impl Fn(Acknowledged) + Send + Sync + 'static,
    ) -> Result<Self, ClusterError> {
        let window = Window { warmup: Duration::ZERO, length: ENDLESS };
        let schedule = Schedule::new(Pace::Open(rate), window);
        let values = ValuePool::new(value_size, 1);
        let plan = Arc::new(Plan { schedule, numbers: AtomicU64::new(0), values });
        let calls = Arc::new((key, told));
        let (stop, stopped) = watch::channel(false);
        let mut sessions = Vec::new();
        for (node, endpoint) in nodes.iter().enumerate().cycle().take(CONNECTIONS) {
            sessions.push((node, endpoint.connect().await?));
        }
        let mut tasks = JoinSet::new();
        for (node, session) in sessions {
            let (plan, stopped, calls) = (Arc::clone(&plan), stopped.clone(), Arc::clone(&calls));
            tasks.spawn(
                async move { write(&plan, session, node, stopped, &calls.0, &calls.1).await },
            );
        }
        Ok(Self { stop, tasks })
    }

    /// Ends them; says how long their writes took, from when each was due.
    pub async fn stop(mut self) -> Result<Recording, ClusterError> {
        self.stop.send_replace(true);
        let mut all = Recording::new();
        while let Some(ended) = self.tasks.join_next().await {
            all.merge(&ended.map_err(|_panicked| ClusterError::Lost)??);
        }
        Ok(all)
    }
}

async fn write(
    plan: &Plan,
    mut session: AnySession,
    node: usize,
    mut stopped: watch::Receiver<bool>,
    key: &(impl Fn(u64) -> String + Sync),
    told: &(impl Fn(Acknowledged) + Sync),
) -> Result<Recording, ClusterError> {
    let mut recording = Recording::new();
    let mut rng = SmallRng::seed_from_u64(node as u64);
    let alarm = Alarm::new()?;
    while let Some(due) = plan.schedule.next(Instant::now()) {
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => break,
            woken = alarm.wait(due) => woken?,
        }
        let number = plan.numbers.fetch_add(1, Ordering::Relaxed);
        session.put(&key(number), &plan.values.draw(&mut rng)).await?;
        let at = Instant::now();
        recording.add(at - due);
        told(Acknowledged { number, node, at });
    }
    Ok(recording)
}

/// Writes each of these keys once, a hundred in a request.
pub async fn write_each(
    endpoint: Endpoint,
    keys: impl Iterator<Item = String>,
    mut value: impl FnMut() -> Bytes,
) -> Result<(), TargetError> {
    let mut session = endpoint.connect().await?;
    let mut items = Vec::new();
    for key in keys {
        items.push((key, value()));
        if items.len() == 100 {
            session.put_all(&items).await?;
            items.clear();
        }
    }
    if items.is_empty() { Ok(()) } else { session.put_all(&items).await }
}
