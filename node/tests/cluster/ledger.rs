//! What was asked of any of the nodes, what was acknowledged, and whether what they hold in the end
//! agrees with that.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use kvs_node::time::{SystemClock, WallClock as _};
use rand::RngExt as _;
use tokio::sync::watch;

use crate::seed::Seed;

/// How far clocks may be wrong, in milliseconds: less than what makes a node refuse writes.
pub(crate) const SKEW: u64 = 4_000;

/// Every write of a test.
#[derive(Debug)]
pub(crate) struct Ledger {
    seed: Seed,
    writes: AtomicU64,
    acknowledged: watch::Sender<u64>,
    keys: Mutex<BTreeMap<String, Vec<Attempt>>>,
}

/// One write of one key.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    number: u64,
    deletes: bool,
    /// The earliest time that it may be stamped with.
    earliest: u64,
    /// Its time, or the earliest that it may have, if it was acknowledged.
    stamped: Option<u64>,
}

/// What a node holds at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// A write's value, and its time.
    Value(u64, u64),
    /// It was deleted at that time.
    Deleted(u64),
    /// Nothing, and nothing is known of a delete.
    Nothing,
}

impl Ledger {
    pub(crate) fn new(seed: Seed) -> Self {
        let acknowledged = watch::Sender::new(0);
        Self { seed, writes: AtomicU64::new(0), acknowledged, keys: Mutex::default() }
    }

    /// The value of a write, of which every byte can be told again.
    pub(crate) fn text(&self, number: u64) -> String {
        let mut random = self.seed.part(!number);
        let large = random.random_ratio(1, 64);
        let length = random.random_range(if large { 40_000..100_000 } else { 0..400 });
        let letters = (0..length).map(|_| char::from(random.random_range(b'a'..=b'z')));
        let noise: String = letters.collect();
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
        let number: Option<u64> = number.and_then(|number| number.parse().ok());
        let known = number.filter(|number| *number < self.writes.load(Ordering::Relaxed));
        let same = known.filter(|number| text == self.text(*number));
        same.ok_or_else(|| format!("a value that nobody wrote: {text:.80}"))
    }

    /// Notes a write before it is sent, and gives it a number.
    pub(crate) fn begin(&self, key: &str, deletes: bool) -> u64 {
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let earliest = SystemClock.now().0 - SKEW;
        let attempt = Attempt { number, deletes, stamped: None, earliest };
        self.keys().entry(key.to_owned()).or_default().push(attempt);
        number
    }

    /// Notes that it was acknowledged, with its time if that was told.
    pub(crate) fn acknowledge(&self, key: &str, number: u64, time: Option<u64>) {
        let mut keys = self.keys();
        let attempts = keys.entry(key.to_owned()).or_default();
        for attempt in attempts.iter_mut().filter(|attempt| attempt.number == number) {
            attempt.stamped = Some(time.unwrap_or(attempt.earliest));
        }
        drop(keys);
        self.acknowledged.send_modify(|count| *count += 1);
    }

    /// How many writes were acknowledged, and the means to wait for more.
    pub(crate) fn acknowledged(&self) -> watch::Receiver<u64> {
        self.acknowledged.subscribe()
    }

    /// Every key that was ever written or deleted.
    pub(crate) fn names(&self) -> Vec<String> {
        self.keys().keys().cloned().collect()
    }

    /// Compares what all nodes hold at a key with what was acknowledged: nothing acknowledged may be
    /// later than what is there.
    ///
    /// # Errors
    ///
    /// Something is.
    pub(crate) fn check(&self, key: &str, held: Held) -> Result<(), String> {
        let keys = self.keys();
        let attempts = keys.get(key).map(Vec::as_slice).unwrap_or_default();
        let (time, known) = match held {
            Held::Value(number, time) => {
                (time, attempts.iter().any(|it| it.number == number && !it.deletes))
            }
            Held::Deleted(time) => (time, attempts.iter().any(|attempt| attempt.deletes)),
            Held::Nothing => (0, true),
        };
        if !known {
            return Err(format!("{key}: {held:?} was never asked for there"));
        }
        // A delete of what is not there is none, and answers so: it is never acknowledged.
        let later = |attempt: &&Attempt| attempt.stamped.is_some_and(|stamped| stamped > time);
        match attempts.iter().find(later) {
            None => Ok(()),
            Some(lost) => Err(format!("{key}: {lost:?} was acknowledged, and {held:?} is there")),
        }
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Attempt>>> {
        self.keys.lock().unwrap()
    }
}
