//! The claims.

use std::env;
use std::time::Duration;

use crate::world::World;

const RETENTION: Duration = Duration::from_secs(3);

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not {text:?}")))
}

/// Runs a trial for a few new seeds, or for the one that was given.
fn seeds(few: u64, trial: impl Fn(u64) -> Result<String, String>) {
    let given = number("KVS_SEED");
    let first = given.unwrap_or_else(|| rand::random::<u32>().into());
    let count = if given.is_some() { 1 } else { number("KVS_ROUNDS").unwrap_or(few) };
    for seed in first..first + count {
        match trial(seed) {
            Ok(said) => {
                if given.is_some() {
                    println!("seed {seed}: {said}");
                }
            }
            Err(why) => panic!("seed {seed} (KVS_SEED={seed} repeats it): {why}"),
        }
    }
    println!("{count} seeds from {first}");
}

fn check(world: &mut World, within: Duration) -> Result<(), String> {
    let told = |world: &World, why: String| format!("{why}\n{}", world.log.join("\n"));
    world.calm(within).map_err(|why| told(world, why))?;
    let faults = world.faults();
    if faults.is_empty() { Ok(()) } else { Err(told(world, faults.join("\n"))) }
}

#[test]
fn nodes_that_start_together_are_one_cluster_and_agree() {
    seeds(20, |seed| {
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
    seeds(60, |seed| {
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
