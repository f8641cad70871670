//! Which requests are made: of which keys, with which values.
//!
//! Everything here follows from a seed, so two servers are asked for the same.

use std::sync::Arc;

use bytes::Bytes;
use rand::{
    Rng, RngExt, SeedableRng,
    distr::{Alphanumeric, Uniform},
    rngs::SmallRng,
};
use rand_distr::Zipf;
use serde::{Deserialize, Serialize};

use crate::number::{float, whole};

mod value;

pub use value::{LEAST_VALUE, ValuePool};

/// Keys below one prefix, so that a folder of keys stays of a size that people have.
const KEYS_PER_FOLDER: u64 = 1_000;

/// A prime above every number of keys allowed, which spreads ranks over keys without repeats.
const SPREAD: u64 = 4_294_967_291;

/// The most keys a workload may have.
pub const MOST_KEYS: u64 = 100_000_000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Keys are numbered from 0 up to this.
    pub keys: u64,
    /// Bytes of one value, which is a JSON object.
    pub value_size: usize,
    /// How many of 100 requests are reads.
    pub reads: u8,
    /// Which keys are asked for more often.
    pub choice: KeyChoice,
    /// Puts in one request; 1 is a plain put.
    pub batch: usize,
    /// From which all randomness follows.
    pub seed: u64,
}

/// Which keys are asked for more often.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum KeyChoice {
    /// Each as often as any other.
    Uniform,
    /// A few very often: the key of rank `r` in proportion to `r` to the power of minus this.
    Zipf(f64),
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Read one key.
    Get(String),
    /// Write one key.
    Put(String, Bytes),
    /// Write several keys in one request.
    PutAll(Vec<(String, Bytes)>),
}

/// The name of the key with this number: a path that every server measured here accepts.
pub fn key_name(number: u64) -> String {
    format!("bench/{:05}/{:08}", number / KEYS_PER_FOLDER, number)
}

/// An endless row of requests for one connection.
#[derive(Debug)]
pub struct Requests {
    workload: Workload,
    values: Arc<ValuePool>,
    picker: Picker,
    rng: SmallRng,
}

impl Requests {
    /// The requests of the connection with this number, which differ from its neighbour's.
    pub fn new(workload: &Workload, values: Arc<ValuePool>, connection: u64) -> Self {
        let rng = SmallRng::seed_from_u64(workload.seed.wrapping_mul(SPREAD) ^ connection);
        Self { workload: workload.clone(), values, picker: Picker::new(workload), rng }
    }

    /// The next request.
    pub fn draw(&mut self) -> Request {
        if self.rng.random_range(0..100) < self.workload.reads {
            return Request::Get(self.key());
        }
        if self.workload.batch == 1 {
            let (key, value) = self.pair();
            return Request::Put(key, value);
        }
        Request::PutAll(self.different_pairs())
    }

    /// Pairs all over the keys, none twice as long as there are enough: etcd refuses a
    /// transaction that writes a key twice.
    fn different_pairs(&mut self) -> Vec<(String, Bytes)> {
        let first = self.picker.draw(&mut self.rng);
        (0..self.workload.batch as u64)
            .map(|step| first.wrapping_add(step.wrapping_mul(SPREAD)) % self.picker.keys)
            .map(|number| (key_name(number), self.values.draw(&mut self.rng)))
            .collect()
    }

    fn pair(&mut self) -> (String, Bytes) {
        (self.key(), self.values.draw(&mut self.rng))
    }

    fn key(&mut self) -> String {
        key_name(self.picker.draw(&mut self.rng))
    }
}

/// Draws the numbers of keys.
#[derive(Debug, Clone)]
pub struct Picker {
    keys: u64,
    choice: Distribution,
}

#[derive(Debug, Clone)]
enum Distribution {
    Uniform(Uniform<u64>),
    Zipf(Zipf<f64>),
}

impl Picker {
    /// For the keys and the choice of a workload; no keys count as one, an impossible exponent
    /// as none.
    pub fn new(workload: &Workload) -> Self {
        let keys = workload.keys.clamp(1, MOST_KEYS);
        let zipf = match workload.choice {
            KeyChoice::Uniform => None,
            KeyChoice::Zipf(exponent) => Zipf::new(float(keys), exponent).ok(),
        };
        let choice = zipf.map_or_else(|| Distribution::uniform(keys), Distribution::Zipf);
        Self { keys, choice }
    }

    /// The number of the next key.
    pub fn draw(&self, rng: &mut impl Rng) -> u64 {
        match &self.choice {
            Distribution::Uniform(uniform) => rng.sample(uniform),
            Distribution::Zipf(zipf) => self.of_rank(whole(rng.sample(zipf))),
        }
    }

    /// The most wanted keys are no neighbours: ranks are spread over all keys.
    fn of_rank(&self, rank: u64) -> u64 {
        rank.saturating_sub(1).wrapping_mul(SPREAD) % self.keys
    }
}

impl Distribution {
    fn uniform(keys: u64) -> Self {
        Self::Uniform(Uniform::new(0, keys).expect("there is at least one key"))
    }
}

/// Letters and digits, as text is made of.
fn text(rng: &mut impl Rng, length: usize) -> String {
    (0..length).map(|_| char::from(rng.sample(Alphanumeric))).collect()
}

#[cfg(test)]
mod tests;
