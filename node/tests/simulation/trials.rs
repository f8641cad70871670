//! No trouble loses a write or brings a delete back.

use std::time::Duration;

use crate::seeds::each_seed;
use crate::world::World;

/// How long deletes are remembered beyond the need.
pub(crate) const RETENTION: Duration = Duration::from_secs(3);

/// Ends all trouble, and says what is wrong once the nodes agree, or that they do not.
pub(crate) fn check(world: &mut World, within: Duration) -> Result<(), String> {
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
        world.live(Duration::from_mins(1), true);
        check(&mut world, Duration::from_mins(2))?;
        Ok(format!("{} writes, {:?}", world.ledger.len(), world.bytes))
    });
}
