//! How clusters begin.

use std::time::Duration;

use kvs_core::engine::Life;
use rand::RngExt as _;

use crate::seeds::each_seed;
use crate::trials::{RETENTION, check};
use crate::world::World;

#[test]
fn in_whatever_order_three_nodes_are_born_they_are_one_cluster() {
    each_seed("births", 50, |seed| {
        let mut world = World::new(seed, 3, RETENTION);
        for at in 0..3 {
            let late = if world.rng.random_bool(0.2) { 20 } else { 2 };
            world.start_within(at, Duration::from_secs(late));
        }
        if world.rng.random_bool(0.5) {
            let at = world.rng.random_range(0..3);
            let pause = Duration::from_millis(world.rng.random_range(0..8_000));
            world.live(pause, false);
            world.lose_disk(at);
            world.start_within(at, Duration::from_secs(3));
        }
        for _ in 0..10 {
            world.live(Duration::from_secs(3), false);
            world.forget_the_lost();
        }
        check(&mut world, Duration::from_mins(1))?;
        let lists = world.lists();
        let one = lists.len() == 3 && lists.windows(2).all(|pair| pair[0] == pair[1]);
        if one { Ok(String::new()) } else { Err(format!("{lists:?}\n{}", world.log.join("\n"))) }
    });
}

#[test]
fn a_node_whose_seeds_do_not_answer_founds_no_cluster() {
    each_seed("alone", 3, |seed| {
        let mut world = World::new(seed, 3, RETENTION);
        world.start_within(0, Duration::from_secs(1));
        world.run(Duration::from_hours(1));
        match world.life(0) {
            Some(Life::Unborn) => Ok(String::new()),
            life => Err(format!("{life:?}")),
        }
    });
}
