//! Which seeds a trial runs with. The operator's simulation has this file, too, and seeds of its own.

use std::env;
use std::panic::{self, AssertUnwindSafe};

use serde_json::json;

use crate::figure;

/// Seeds that once failed, by the name of their trial.
const FAILED: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/simulation/seeds.txt"));

/// How many seeds a plain run gives to a trial that is worth many.
const MANY: u64 = 60;

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not {text:?}")))
}

/// The seeds to run: the one that was given, or all that ever failed in this trial and a few new
/// ones.
fn seeds(trial: &str, few: u64) -> Vec<u64> {
    if let Some(given) = number("KVS_SEED") {
        return vec![given];
    }
    let of_trial = |line: &str| line.strip_prefix(trial)?.strip_prefix(' ')?.parse().ok();
    let first = u64::from(rand::random::<u32>());
    let new = first..first + number("KVS_ROUNDS").map_or(few, |rounds| rounds * few / MANY);
    println!("{trial}: seeds from {first}");
    FAILED.lines().filter_map(of_trial).chain(new).collect()
}

/// Runs a trial for some seeds, and says which of them failed and how the first did.
pub(crate) fn each_seed(name: &str, few: u64, trial: impl Fn(u64) -> Result<String, String>) {
    let seeds = seeds(name, few);
    let mut failed = Vec::new();
    for seed in &seeds {
        match panic::catch_unwind(AssertUnwindSafe(|| trial(*seed))) {
            Ok(Ok(said)) if seeds.len() == 1 => println!("seed {seed}: {said}"),
            Ok(Ok(_)) => {}
            Ok(Err(why)) => failed.push((seed, why)),
            Err(_) => failed.push((seed, "it panicked".into())),
        }
        if failed.last().is_some_and(|(failed, _)| *failed == seed) {
            println!("{name} {seed} failed");
        }
    }
    let Some((seed, why)) = failed.first() else {
        return figure::tell(name, &json!({ "seeds": seeds.len(), "up_to": seeds.last() }));
    };
    let all: Vec<_> = failed.iter().map(|(seed, _)| seed).collect();
    panic!("{name} failed with seeds {all:?}; KVS_SEED={seed} repeats the first: {why}");
}
