//! Where random choices come from, and how many rounds are wanted.

use std::env;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// A number that all random choices of a round follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    /// The one in `KVS_SEED`, or a fresh one; printed, so that a failure can be repeated.
    pub(crate) fn choose() -> Self {
        let seed = Self(number("KVS_SEED").unwrap_or_else(rand::random));
        println!("seed {}; repeat with KVS_SEED={}", seed.0, seed.0);
        seed
    }

    /// Choices that depend on the seed and on `part` alone.
    pub(crate) fn part(self, part: u64) -> StdRng {
        StdRng::seed_from_u64(self.0 ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// The number of rounds in `KVS_ROUNDS`, or else `few`.
pub(crate) fn rounds(few: u64) -> u64 {
    number("KVS_ROUNDS").unwrap_or(few)
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not {text:?}")))
}
