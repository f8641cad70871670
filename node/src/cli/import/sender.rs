//! Writes the lines of an import in batches, and only where they change something.

use std::collections::{HashSet, VecDeque};

use kvs_client::{BatchItem, BatchOutcome, BatchResult, Client, ClientError};

use super::counts::Counts;
use crate::cli::failure::chain;
use crate::cli::record::Line;
use crate::cli::{Done, Failure};
use crate::time::{SystemClock, WallClock as _};

/// Bounds of a batch, below those that a node has by default.
const BATCH_KEYS: usize = 500;
const BATCH_BYTES: usize = 4 << 20;
/// The shortest life that a write may ask for, in milliseconds.
const LEAST_TTL: u64 = 1_000;

/// A line with its number.
#[derive(Debug)]
struct Numbered {
    number: u64,
    line: Line,
}

/// Collects lines and sends them.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) counts: Counts,
    client: Client,
    waiting: Vec<Numbered>,
    keys: HashSet<String>,
    bytes: usize,
    complaints: Vec<String>,
}

impl Sender {
    pub(super) fn new(client: Client) -> Self {
        Self {
            counts: Counts::default(),
            client,
            waiting: Vec::new(),
            keys: HashSet::new(),
            bytes: 0,
            complaints: Vec::new(),
        }
    }

    /// Takes a line, and sends what waits once that is enough. Of two lines about one key the later
    /// one counts, so they never share a batch.
    pub(super) async fn add(&mut self, number: u64, line: Line, bytes: usize) -> Done {
        let full = self.waiting.len() >= BATCH_KEYS || self.bytes + bytes > BATCH_BYTES;
        if full || self.keys.contains(&line.key) {
            self.flush().await?;
        }
        self.bytes += bytes;
        self.keys.insert(line.key.clone());
        self.waiting.push(Numbered { number, line });
        Ok(())
    }

    /// Hands over what there is to say about lines that failed.
    pub(super) fn complaints(&mut self, say: impl FnMut(String)) {
        self.complaints.drain(..).for_each(say);
    }

    /// Sends what waits.
    pub(super) async fn flush(&mut self) -> Done {
        self.keys.clear();
        self.bytes = 0;
        let mut parts = VecDeque::from([std::mem::take(&mut self.waiting)]);
        while let Some(mut part) = parts.pop_front() {
            match self.send(&part).await {
                Ok(()) => {}
                // The node takes less at once than we thought.
                Err(error) if is_refusal(&error) && part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.push_front(second);
                    parts.push_front(part);
                }
                Err(error) if is_refusal(&error) => self.refuse_all(&part, &error),
                Err(error) => return Err(interrupted(&part, &error)),
            }
        }
        Ok(())
    }

    /// Sends a part: asks what is there, then writes what differs.
    async fn send(&mut self, part: &[Numbered]) -> Result<(), ClientError> {
        if part.is_empty() {
            return Ok(());
        }
        let mut counts = self.counts;
        let gets = part.iter().map(|numbered| BatchItem::get(&numbered.line.key)).collect();
        let there = self.client.batch(gets).await?;
        let mut puts = Vec::new();
        let mut put = Vec::new();
        for (numbered, there) in part.iter().zip(&there) {
            match numbered.line.item(there) {
                Step::Write(item) => {
                    puts.push(item);
                    put.push(numbered);
                }
                Step::Unchanged => counts.unchanged += 1,
                Step::Expired => counts.expired += 1,
            }
        }
        let results = if puts.is_empty() { Vec::new() } else { self.client.batch(puts).await? };
        self.counts = counts;
        put.iter().zip(results).for_each(|(numbered, result)| self.note(numbered, result));
        Ok(())
    }

    fn note(&mut self, numbered: &Numbered, result: BatchResult) {
        match result.outcome {
            BatchOutcome::Failed { problem } => self.refuse(numbered, &problem.to_string()),
            _ => self.counts.written += 1,
        }
    }

    fn refuse_all(&mut self, part: &[Numbered], error: &ClientError) {
        for numbered in part {
            self.refuse(numbered, &error.to_string());
        }
    }

    fn refuse(&mut self, numbered: &Numbered, why: &str) {
        let Numbered { number, line } = numbered;
        self.complaints.push(format!("line {number}: key {}: {why}", line.key));
        self.counts.failed += 1;
    }
}

/// Whether the node refused a batch as a whole: its body is too large, or it has too many items.
fn is_refusal(error: &ClientError) -> bool {
    matches!(error.status(), Some(413 | 422))
}

/// What to do with a line.
enum Step {
    Write(BatchItem),
    Unchanged,
    Expired,
}

impl Line {
    fn item(&self, there: &BatchResult) -> Step {
        let ttl = match self.expires {
            None if self.is(there) => return Step::Unchanged,
            None => None,
            Some(expires) => match expires.saturating_sub(SystemClock.now().0) {
                ..LEAST_TTL => return Step::Expired,
                left => Some(format!("{left}ms")),
            },
        };
        let (key, value) = (self.key.clone(), self.value.clone());
        Step::Write(BatchItem::Put { key, value, ttl, if_match: None, if_none_match: None })
    }

    /// Whether that is what the key holds.
    fn is(&self, there: &BatchResult) -> bool {
        matches!(&there.outcome, BatchOutcome::Read(stored) if stored.value == self.value)
    }
}

fn interrupted(part: &[Numbered], error: &ClientError) -> Failure {
    let number = |numbered: Option<&Numbered>| numbered.map_or(0, |numbered| numbered.number);
    let (first, last) = (number(part.first()), number(part.last()));
    Failure::new(format!(
        "lines {first} to {last} may not be imported, nor those after them: {}; run the same \
         import again to go on",
        chain(error)
    ))
}
