//! What was asked of a node and what it acknowledged, and whether what is found agrees with that.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use kvs_node::time::monotonic;
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::sync::watch;

use crate::seed::Seed;

/// One write in so many has a large value, which spans several blocks of the log.
const LARGE_EVERY: u32 = 64;

/// The number of a write; nothing for a delete.
pub(crate) type Content = Option<u64>;

/// Every write of a test.
#[derive(Debug)]
pub(crate) struct Ledger {
    seed: Seed,
    /// Orders what began against what was acknowledged.
    order: AtomicU64,
    writes: AtomicU64,
    acknowledged: watch::Sender<u64>,
    keys: Mutex<BTreeMap<String, Vec<Attempt>>>,
}

/// One write of one key.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    content: Content,
    began: u64,
    /// When it was acknowledged, in our order and by the clock.
    acknowledged: Option<(u64, Instant)>,
}

/// Names an attempt.
#[derive(Debug)]
pub(crate) struct Ticket {
    key: String,
    began: u64,
}

/// Acknowledged writes that are gone, though rightly so.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lost {
    /// How many.
    pub(crate) writes: u64,
    /// How long before the end the oldest of them was acknowledged.
    pub(crate) oldest: Duration,
}

impl Lost {
    pub(crate) fn add(&mut self, other: Self) {
        self.writes += other.writes;
        self.oldest = self.oldest.max(other.oldest);
    }
}

/// What the end of a node may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// When it ended.
    pub(crate) end: Instant,
    /// Writes acknowledged less than this before the end may be gone; none for zero.
    pub(crate) window: Duration,
}

impl Allowance {
    fn covers(&self, acknowledged: Instant) -> bool {
        self.end.saturating_duration_since(acknowledged) < self.window
    }
}

impl Ledger {
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            seed,
            order: AtomicU64::new(1),
            writes: AtomicU64::new(0),
            acknowledged: watch::Sender::new(0),
            keys: Mutex::default(),
        }
    }

    /// The value of a write: JSON that names the write, of a length and with noise that follow from
    /// the seed and the number, so that every byte can be told again.
    pub(crate) fn text(&self, number: u64) -> String {
        let mut random = self.seed.part(!number);
        let large = random.random_ratio(1, LARGE_EVERY);
        let length = random.random_range(if large { 40_000..100_000 } else { 0..800 });
        let noise = noise(&mut random, length);
        format!(r#"{{"write":{number},"noise":"{noise}"}}"#)
    }

    /// The write whose value this is.
    ///
    /// # Errors
    ///
    /// It is none that was ever asked for, or a byte of it differs.
    pub(crate) fn number(&self, text: &[u8]) -> Result<u64, String> {
        let text = str::from_utf8(text).map_err(|error| error.to_string())?;
        let number = text.strip_prefix(r#"{"write":"#).and_then(|rest| rest.split(',').next());
        let number: u64 = number
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| format!("a value that nobody wrote: {text:.80}"))?;
        let known = number < self.writes.load(Ordering::Relaxed);
        if known && text == self.text(number) {
            Ok(number)
        } else {
            Err(format!("bytes of write {number} differ"))
        }
    }

    /// A number and value for a new write.
    pub(crate) fn compose(&self) -> (u64, String) {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        (number, self.text(number))
    }

    /// Notes a write before it is sent.
    pub(crate) fn begin(&self, key: &str, content: Content) -> Ticket {
        let began = self.tick();
        let attempt = Attempt { content, began, acknowledged: None };
        self.keys().entry(key.to_owned()).or_default().push(attempt);
        Ticket { key: key.to_owned(), began }
    }

    /// Notes that a write was acknowledged.
    pub(crate) fn acknowledge(&self, ticket: &Ticket) {
        let acknowledged = Some((self.tick(), monotonic()));
        let mut keys = self.keys();
        let attempts = keys.entry(ticket.key.clone()).or_default();
        for attempt in attempts.iter_mut().filter(|attempt| attempt.began == ticket.began) {
            attempt.acknowledged = acknowledged;
        }
        drop(keys);
        self.acknowledged.send_modify(|count| *count += 1);
    }

    /// Notes that a write was refused and did nothing.
    pub(crate) fn withdraw(&self, ticket: &Ticket) {
        let mut keys = self.keys();
        let attempts = keys.entry(ticket.key.clone()).or_default();
        attempts.retain(|attempt| attempt.began != ticket.began);
    }

    /// How many writes were acknowledged, and the means to wait for more.
    pub(crate) fn acknowledged(&self) -> watch::Receiver<u64> {
        self.acknowledged.subscribe()
    }

    /// Wakes whoever waits for more, though there is none.
    pub(crate) fn announce(&self) {
        self.acknowledged.send_modify(|_count| {});
    }

    /// Every key that was ever written or deleted.
    pub(crate) fn names(&self) -> Vec<String> {
        self.keys().keys().cloned().collect()
    }

    /// Compares what is found at a key with what was acknowledged, and goes on from there: what is
    /// there now was there before anything that begins from now on.
    ///
    /// # Errors
    ///
    /// What is found is not what any allowed order of the writes leaves.
    pub(crate) fn settle(
        &self,
        key: &str,
        found: Content,
        allowance: Allowance,
    ) -> Result<Lost, String> {
        let mut keys = self.keys();
        let attempts = keys.entry(key.to_owned()).or_default();
        let lost = explain(attempts, found, allowance).map_err(|why| format!("{key}: {why}"))?;
        let acknowledged = Some((0, allowance.end));
        *attempts = vec![Attempt { content: found, began: 0, acknowledged }];
        Ok(lost)
    }

    fn tick(&self) -> u64 {
        self.order.fetch_add(1, Ordering::SeqCst)
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Attempt>>> {
        self.keys.lock().unwrap()
    }
}

/// Letters that compress little.
pub(crate) fn noise(random: &mut StdRng, length: usize) -> String {
    (0..length).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}

/// The least loss that explains `found`.
fn explain(attempts: &[Attempt], found: Content, allowance: Allowance) -> Result<Lost, String> {
    // Nothing is what a key holds before its first write.
    let never = Attempt { content: None, began: 0, acknowledged: Some((0, allowance.end)) };
    let candidates = attempts.iter().chain([&never]).filter(|attempt| attempt.content == found);
    let explained = candidates.map(|attempt| loss(attempts, attempt, allowance));
    let mut why = format!("{found:?} was never written");
    let mut least: Option<Lost> = None;
    for explained in explained {
        match explained {
            Ok(lost) if least.is_none_or(|least| lost.writes < least.writes) => least = Some(lost),
            Ok(_) => {}
            Err(reason) => why = reason,
        }
    }
    least.ok_or(why)
}

/// What is lost if `survivor` is the last write that happened: everything acknowledged that began
/// after it was acknowledged. What was never acknowledged may have happened at any time.
fn loss(attempts: &[Attempt], survivor: &Attempt, allowance: Allowance) -> Result<Lost, String> {
    let mut lost = Lost::default();
    let Some((settled, _)) = survivor.acknowledged else { return Ok(lost) };
    for attempt in attempts.iter().filter(|attempt| attempt.began > settled) {
        let Some((_, acknowledged)) = attempt.acknowledged else { continue };
        let age = allowance.end.saturating_duration_since(acknowledged);
        if !allowance.covers(acknowledged) {
            return Err(format!(
                "{:?} was acknowledged {age:?} before the end, and {:?} from before it is there",
                attempt.content, survivor.content
            ));
        }
        lost.add(Lost { writes: 1, oldest: age });
    }
    Ok(lost)
}
