//! Nodes that were away for too long, lost or given up, and come back.

use std::time::Duration;

use kvs_core::engine::Life;
use kvs_core::members::Standing;
use rand::RngExt as _;

use crate::seeds::each_seed;
use crate::trials::{RETENTION, check};
use crate::world::World;

const SETTLING: Duration = Duration::from_mins(2);

/// A cluster that has been written to for a while.
fn cluster(seed: u64, count: usize) -> World {
    let mut world = World::new(seed, count, RETENTION);
    for at in 0..count {
        world.start_within(at, Duration::from_secs(1));
    }
    world.live(Duration::from_secs(15), false);
    world
}

impl World {
    /// Whether both places know that they run under one id, if they do.
    fn both_are_told(&self, at: usize, copy: usize) -> bool {
        let places = [at, copy].map(|at| &self.places[at]);
        let running = places.iter().all(|place| place.running.is_some());
        let same = places[0].disk_id() == places[1].disk_id();
        !(running && same) || places.iter().all(|place| place.twin)
    }
}

fn told(world: &World, why: impl std::fmt::Display) -> String {
    format!("{why}\n{}", world.log.join("\n"))
}

fn expect(world: &World, holds: bool, claim: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(told(world, format_args!("it does not hold that {claim}"))) }
}

#[test]
fn a_node_that_was_given_up_comes_back_as_another_and_brings_no_delete_back() {
    each_seed("given-up", 20, |seed| {
        let mut world = cluster(seed, 3);
        let away = world.rng.random_range(0..3);
        let id = world.places[away].disk_id();
        world.weather.island = [away].into();
        world.live(Duration::from_secs(5), false);
        let crashed = world.rng.random_bool(0.5);
        if crashed {
            world.crash(away);
        }
        world.live(Duration::from_secs(3), false);
        let other = (away + 1) % 3;
        world.forget(other, id);
        world.live(Duration::from_secs(20), false);
        check(&mut world, SETTLING)?;
        expect(&world, world.places[away].disk_id() != id, "it is another node")?;
        expect(&world, world.standing(other, id) == Some(Standing::Forgotten), "it is forgotten")?;
        Ok(format!("{} writes", world.ledger.len()))
    });
}

#[test]
fn a_disk_that_is_set_back_in_time_brings_no_delete_back() {
    each_seed("set-back", 20, |seed| {
        let mut world = cluster(seed, 3);
        let at = world.rng.random_range(0..3);
        let image = world.places[at].disk.image();
        let long = Duration::from_secs(world.rng.random_range(1..30));
        world.live(long, false);
        world.set_back(at, &image);
        if world.rng.random_bool(0.5) {
            // It is written to before it meets anybody.
            world.weather.island = [at].into();
            world.start_within(at, Duration::from_millis(1));
            world.live(Duration::from_secs(40), false);
        }
        check(&mut world, SETTLING)?;
        Ok(format!("{} writes, set back {long:?}", world.ledger.len()))
    });
}

#[test]
fn a_copied_volume_stops_writes_on_both_and_brings_no_delete_back() {
    each_seed("copied", 20, |seed| {
        let mut world = cluster(seed, 3);
        let at = world.rng.random_range(0..3);
        let copy = world.clone_disk(at);
        if world.rng.random_bool(0.5) {
            // Nobody can know yet that it is one.
            world.weather.island = [copy].into();
            world.live(Duration::from_secs(40), false);
            world.weather.island.clear();
        }
        // One that has to begin anew meanwhile is told once more.
        for _ in 0..3 {
            world.live(Duration::from_secs(1), false);
            if world.both_are_told(at, copy) {
                break;
            }
        }
        expect(&world, world.both_are_told(at, copy), "both are told")?;
        world.live(Duration::from_secs(20), false);
        let reset = if world.rng.random_bool(0.5) { at } else { copy };
        world.reset_identity(reset);
        world.live(Duration::from_secs(20), false);
        check(&mut world, SETTLING)?;
        Ok(format!("{} writes", world.ledger.len()))
    });
}

#[test]
fn of_two_halves_that_gave_each_other_up_one_stays_and_the_other_starts_over() {
    each_seed("halves", 20, |seed| {
        let mut world = cluster(seed, 5);
        let ids: Vec<_> = world.places.iter().map(crate::world::Place::disk_id).collect();
        let small = [world.rng.random_range(0..2), 2 + world.rng.random_range(0..3)];
        world.weather.island = small.into();
        world.live(Duration::from_secs(4), false);
        let large: Vec<usize> = (0..5).filter(|at| !small.contains(at)).collect();
        for at in &small {
            world.forget(large[0], ids[*at]);
        }
        for at in &large {
            world.forget(small[0], ids[*at]);
        }
        world.live(Duration::from_secs(20), false);
        check(&mut world, SETTLING)?;
        let stayed = large.iter().all(|at| world.places[*at].disk_id() == ids[*at]);
        let gone = small.iter().all(|at| world.places[*at].disk_id() != ids[*at]);
        expect(&world, stayed && gone, "the greater half stays and the other starts over")?;
        Ok(format!("{} writes", world.ledger.len()))
    });
}

#[test]
fn a_node_that_leaves_hands_over_all_it_has_and_comes_back_only_as_another() {
    each_seed("leave", 20, |seed| {
        let mut world = cluster(seed, 3);
        let at = world.rng.random_range(0..3);
        let id = world.places[at].disk_id();
        world.weather.slowest = Duration::from_millis(100);
        world.live(Duration::from_secs(5), false);
        world.leave(at);
        let crashed = world.rng.random_bool(0.3);
        if crashed {
            let pause = Duration::from_millis(world.rng.random_range(0..3_000));
            world.live(pause, false);
            world.crash(at);
            world.start_within(at, Duration::from_secs(3));
            world.live(Duration::from_secs(5), false);
            if world.is_up(at) && world.places[at].disk_id() == id {
                world.leave(at);
            }
        }
        world.live(Duration::from_secs(20), false);
        let left = world.places[at].closed || world.places[at].disk_id() != id;
        expect(&world, left, "it left")?;
        check(&mut world, SETTLING)?;
        let other = (at + 1) % 3;
        expect(&world, world.standing(other, id) == Some(Standing::Left), "the others know")?;
        world.places[at].closed = false;
        world.places[at].leaving = false;
        check(&mut world, SETTLING)?;
        expect(&world, world.places[at].disk_id() != id, "it is another node")?;
        Ok(format!("{} writes", world.ledger.len()))
    });
}

#[test]
fn no_disaster_brings_a_delete_back() {
    each_seed("disasters", 40, |seed| {
        let count = 3 + usize::try_from(seed % 3).unwrap();
        let mut world = cluster(seed, count);
        let mut images = Vec::new();
        for _ in 0..6 {
            let span = Duration::from_secs(world.rng.random_range(1..12));
            world.live(span, true);
            let at = world.rng.random_range(0..count);
            match world.rng.random_range(0..4) {
                0 => {
                    world.lose_disk(at);
                    world.start_within(at, Duration::from_secs(3));
                }
                1 => images.push((at, world.places[at].disk.image())),
                2 => {
                    if let Some((at, image)) = images.pop() {
                        world.set_back(at, &image);
                        world.start_within(at, Duration::from_secs(3));
                    }
                }
                _ => {
                    let other = (at + 1) % count;
                    let id = world.places[other].disk_id();
                    if world.life(at) == Some(Life::Serving) {
                        world.forget(at, id);
                    }
                }
            }
            world.forget_the_lost();
        }
        for at in 0..count {
            world.set_clock(at, 0);
        }
        for _ in 0..6 {
            world.give_up_on_the_empty();
            world.forget_the_lost();
            world.live(Duration::from_secs(5), false);
        }
        check(&mut world, SETTLING)?;
        Ok(format!("{} writes", world.ledger.len()))
    });
}
