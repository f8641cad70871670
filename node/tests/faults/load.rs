//! Many clients at once that put, overwrite and delete, one by one and in batches.

use std::sync::Arc;

use kvs_client::{BatchItem, BatchOutcome, BatchResult, Client, ClientError, Problem, Value};
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::ledger::{Ledger, Ticket};
use crate::seed::Seed;
use crate::wait::DEADLINE;

const CLIENTS: u64 = 16;
/// Few enough that keys are overwritten all the time.
const KEYS: u32 = 300;
const BATCH: usize = 20;

/// Clients at work, until the node is gone.
#[derive(Debug)]
pub(crate) struct Load {
    clients: JoinSet<()>,
}

impl Load {
    /// Sets clients to work.
    pub(crate) fn start(client: &Client, ledger: &Arc<Ledger>, seed: Seed, round: u64) -> Self {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let random = seed.part(round * CLIENTS + number);
            let worker = Worker { client: client.clone(), ledger: ledger.clone(), random };
            clients.spawn(worker.work());
        }
        Self { clients }
    }

    /// Waits until every client has met the end of the node.
    pub(crate) async fn ended(self) {
        timeout(DEADLINE, self.clients.join_all()).await.expect("a client hangs");
    }
}

struct Worker {
    client: Client,
    ledger: Arc<Ledger>,
    random: StdRng,
}

impl Worker {
    async fn work(mut self) {
        loop {
            let done = match self.random.random_range(0..8) {
                0 => self.delete().await,
                1..3 => self.batch().await,
                _ => self.put().await,
            };
            match done {
                Ok(()) => {}
                Err(ClientError::Connect { .. } | ClientError::Interrupted { .. }) => return,
                Err(error) => panic!("a write was refused: {error}"),
            }
        }
    }

    /// What became of one write; the end of the node is for the caller to see.
    fn settle<T>(&self, ticket: &Ticket, done: Result<T, ClientError>) -> Result<(), ClientError> {
        match done {
            Ok(_) => self.ledger.acknowledge(ticket),
            Err(error) if error.problem().is_some_and(did_nothing) => self.ledger.withdraw(ticket),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn key(&mut self) -> String {
        let number = self.random.random_range(0..KEYS);
        format!("load/{}/{number}", number % 7)
    }

    async fn put(&mut self) -> Result<(), ClientError> {
        let key = self.key();
        let (number, text) = self.ledger.compose();
        let ticket = self.ledger.begin(&key, Some(number));
        let done = self.client.put(&key, json(text)).await;
        self.settle(&ticket, done)
    }

    async fn delete(&mut self) -> Result<(), ClientError> {
        let key = self.key();
        let ticket = self.ledger.begin(&key, None);
        let done = self.client.delete(&key).await;
        self.settle(&ticket, done)
    }

    async fn batch(&mut self) -> Result<(), ClientError> {
        let count = self.random.random_range(1..=BATCH);
        let (tickets, items): (Vec<_>, Vec<_>) = (0..count).map(|_| self.item()).unzip();
        let results = self.client.batch(items).await?;
        for (ticket, result) in tickets.iter().zip(&results) {
            self.note(ticket, result);
        }
        Ok(())
    }

    fn item(&mut self) -> (Ticket, BatchItem) {
        let key = self.key();
        if self.random.random_ratio(1, 6) {
            return (self.ledger.begin(&key, None), BatchItem::delete(key));
        }
        let (number, text) = self.ledger.compose();
        (self.ledger.begin(&key, Some(number)), BatchItem::put(key, json(text)))
    }

    fn note(&self, ticket: &Ticket, result: &BatchResult) {
        match &result.outcome {
            BatchOutcome::Failed { problem } if did_nothing(problem) => {
                self.ledger.withdraw(ticket);
            }
            BatchOutcome::Failed { problem } => panic!("an item was refused: {problem:?}"),
            _done => self.ledger.acknowledge(ticket),
        }
    }
}

/// Whether a write was rightly refused: it deletes what is not there, or the clock of the machine
/// was set back by more than the node makes good, as happens where tests run.
fn did_nothing(problem: &Problem) -> bool {
    problem.status == 404 || problem.kind.ends_with("clock-ahead")
}

fn json(text: String) -> Value {
    Value::Json(RawValue::from_string(text).unwrap())
}
