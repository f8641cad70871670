//! The values that are written.

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::text;

/// What a value consists of besides its text.
const FRAME: (&str, &str) = (r#"{"v":""#, r#""}"#);

/// Bytes of the shortest value there is.
pub const LEAST_VALUE: usize = FRAME.0.len() + FRAME.1.len();

/// How many different values there are: enough that no server profits from their likeness, few
/// enough that making them costs the client nothing while it measures.
const POOL: usize = 1_024;

/// Values of one size, made before the clock starts.
#[derive(Debug)]
pub struct ValuePool {
    values: Vec<Bytes>,
}

impl ValuePool {
    /// Different JSON objects of exactly `size` bytes, or of [`LEAST_VALUE`] where that is more.
    pub fn new(size: usize, seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let length = size.saturating_sub(LEAST_VALUE);
        let values = (0..POOL).map(|_| framed(&text(&mut rng, length))).collect();
        Self { values }
    }

    /// One of them.
    pub fn draw(&self, rng: &mut SmallRng) -> Bytes {
        self.values[rng.random_range(0..POOL)].clone()
    }
}

fn framed(text: &str) -> Bytes {
    Bytes::from(format!("{}{text}{}", FRAME.0, FRAME.1))
}
