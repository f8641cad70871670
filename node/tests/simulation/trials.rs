//! The claims.

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use crate::world::World;

const RETENTION: Duration = Duration::from_secs(3);

/// Seeds that once failed, by the name of their trial.
const FAILED: &str = include_str!("seeds.txt");

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
    let new = first..first + number("KVS_ROUNDS").unwrap_or(few);
    println!("{trial}: seeds from {first}");
    FAILED.lines().filter_map(of_trial).chain(new).collect()
}

/// Runs a trial for some seeds, and says which of them failed and how the first did.
fn each_seed(name: &str, few: u64, trial: impl Fn(u64) -> Result<String, String>) {
    let seeds = seeds(name, few);
    let mut failed = Vec::new();
    for seed in &seeds {
        match panic::catch_unwind(AssertUnwindSafe(|| trial(*seed))) {
            Ok(Ok(said)) if seeds.len() == 1 => println!("seed {seed}: {said}"),
            Ok(Ok(_)) => {}
            Ok(Err(why)) => failed.push((seed, why)),
            Err(_) => failed.push((seed, "it panicked".into())),
        }
    }
    let Some((seed, why)) = failed.first() else { return };
    let all: Vec<_> = failed.iter().map(|(seed, _)| seed).collect();
    panic!("{name} failed with seeds {all:?}; KVS_SEED={seed} repeats the first: {why}");
}

fn check(world: &mut World, within: Duration) -> Result<(), String> {
    let told = |world: &World, why: String| format!("{why}\n{}", world.log.join("\n"));
    world.calm(within).map_err(|why| told(world, why))?;
    let faults = world.faults();
    if faults.is_empty() { Ok(()) } else { Err(told(world, faults.join("\n"))) }
}

#[test]
fn nodes_that_start_together_are_one_cluster_and_agree() {
    each_seed("together", 20, |seed| {
        let mut world = World::new(seed, 3, RETENTION);
        for at in 0..3 {
            world.start_within(at, Duration::from_secs(5));
        }
        world.live(Duration::from_secs(20), false);
        check(&mut world, Duration::from_secs(30))?;
        if world.ledger.len() < 20 {
            return Err(format!("only {} writes\n{}", world.ledger.len(), world.log.join("\n")));
        }
        Ok(format!("{} writes, {:?}", world.ledger.len(), world.bytes))
    });
}

#[test]
fn no_trouble_loses_a_write_or_brings_a_delete_back() {
    each_seed("trouble", 60, |seed| {
        let count = 3 + usize::try_from(seed % 3).unwrap();
        let mut world = World::new(seed, count, RETENTION);
        for at in 0..count {
            world.start_within(at, Duration::from_secs(3));
        }
        world.live(Duration::from_secs(60), true);
        check(&mut world, Duration::from_secs(120))?;
        Ok(format!("{} writes, {:?}", world.ledger.len(), world.bytes))
    });
}
