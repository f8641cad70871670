//! What a benchmark sends.

use std::time::Duration;

use kvs_client::{BatchItem, BatchOutcome, Client, ClientError, ListOptions, PageOptions, Value};
use rand::RngExt as _;
use tokio::task::JoinSet;

use super::report::{Report, Times};
use crate::cli::{Done, Failure};
use crate::time::monotonic;

/// Keys that one batch writes or deletes, and how many bytes of values at most.
const BATCH_KEYS: usize = 500;
const BATCH_BYTES: usize = 4 << 20;

/// What to send.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) prefix: String,
    pub(super) keys: u32,
    pub(super) size: usize,
    pub(super) reads: u8,
    pub(super) time: Duration,
}

impl Plan {
    fn key(&self, number: u32) -> String {
        format!("{}/{number:08}", self.prefix)
    }

    /// A JSON text of the wanted length that hardly compresses.
    fn value(&self) -> Result<Value, serde_json::Error> {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut random = rand::rng();
        let letter = |_| char::from(LETTERS[random.random_range(0..LETTERS.len())]);
        Value::json(&(0..self.size - 2).map(letter).collect::<String>())
    }

    fn batch(&self) -> usize {
        (BATCH_BYTES / self.size).clamp(1, BATCH_KEYS)
    }
}

/// Somebody else's keys would be deleted at the end.
pub(super) async fn refuse_used(client: &Client, plan: &Plan) -> Done {
    let page = PageOptions { limit: Some(1), after: None };
    let used = client.ls(&plan.prefix, &ListOptions { page, metadata: false }).await?;
    if used.items.is_empty() && used.next.is_none() {
        return Ok(());
    }
    let prefix = &plan.prefix;
    Err(Failure::new(format!("there are keys below {prefix}; choose an empty --prefix")))
}

pub(super) async fn fill_and_run(clients: Vec<Client>, plan: &Plan) -> Result<Report, Failure> {
    if let Some(client) = clients.first() {
        fill(client, plan).await?;
    }
    let began = monotonic();
    let mut connections = JoinSet::new();
    for client in clients {
        connections.spawn(connection(client, plan.clone()));
    }
    let mut times = Times::default();
    while let Some(done) = connections.join_next().await {
        times.add(done.map_err(|error| Failure::of(&error))??);
    }
    Ok(times.report(began.elapsed()))
}

async fn fill(client: &Client, plan: &Plan) -> Done {
    let numbers: Vec<u32> = (0..plan.keys).collect();
    for part in numbers.chunks(plan.batch()) {
        let put = |number: &u32| Ok(BatchItem::put(plan.key(*number), plan.value()?));
        let items: Result<Vec<_>, serde_json::Error> = part.iter().map(put).collect();
        batch(client, items?).await?;
    }
    Ok(())
}

async fn batch(client: &Client, items: Vec<BatchItem>) -> Done {
    for result in client.batch(items).await? {
        match result.outcome {
            BatchOutcome::Failed { problem } if problem.status != 404 => {
                return Err(Failure::new(problem.to_string()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Sends one request after the other until the time is over.
async fn connection(client: Client, plan: Plan) -> Result<Times, Failure> {
    let mut times = Times::default();
    let value = plan.value()?;
    let end = monotonic() + plan.time;
    loop {
        let began = monotonic();
        if began >= end {
            return Ok(times);
        }
        let key = plan.key(rand::random_range(0..plan.keys));
        let reads = rand::random_range(0..100) < plan.reads;
        let answered = if reads {
            client.get_raw(&key).await.map(drop)
        } else {
            client.put(&key, value.clone()).await.map(drop)
        };
        let took = began.elapsed();
        match answered {
            Ok(()) if reads => times.reads.push(took),
            Ok(()) => times.writes.push(took),
            Err(error) => give_up_unless_refused(error, &mut times)?,
        }
    }
}

/// A busy node refuses, and that is a result; one that is gone is not.
fn give_up_unless_refused(error: ClientError, times: &mut Times) -> Done {
    match error.problem() {
        Some(_) => {
            times.refused += 1;
            Ok(())
        }
        None => Err(error.into()),
    }
}

/// Deletes what was written.
pub(super) async fn clear(client: &Client, plan: &Plan) -> Done {
    let numbers: Vec<u32> = (0..plan.keys).collect();
    for part in numbers.chunks(BATCH_KEYS) {
        let delete = |number: &u32| BatchItem::delete(plan.key(*number));
        batch(client, part.iter().map(delete).collect()).await?;
    }
    Ok(())
}
