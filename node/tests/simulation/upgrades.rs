//! Releases that know another format of versions than others, in the middle of trouble.

use std::time::Duration;

use kvs_core::Format;
use kvs_core::engine::Input;
use rand::RngExt as _;

use crate::seeds::each_seed;
use crate::trials::{RETENTION, check};
use crate::world::World;

impl World {
    /// Starts a later release somewhere, or again the one that is there, and has the cluster raise its
    /// format from somewhere.
    fn update_one(&mut self) {
        let at = self.rng.random_range(0..self.places.len());
        self.update(at);
        let from = self.rng.random_range(0..self.places.len());
        self.step(from, Input::Upgrade);
    }

    fn update(&mut self, at: usize) {
        self.crash(at);
        // Whoever starts a node sees to its clock: alone it cannot know that it is wrong.
        self.set_clock(at, 0);
        self.places[at].newest = Format::NEWEST;
        self.start_within(at, Duration::from_secs(1));
    }

    fn formats(&self) -> Vec<Option<Format>> {
        let running = |place: &crate::world::Place| Some(place.running.as_ref()?.format());
        self.places.iter().map(running).collect()
    }
}

#[test]
fn a_cluster_is_updated_in_the_middle_of_trouble() {
    each_seed("updated", 20, |seed| {
        let mut world = World::new(seed, 3, RETENTION);
        for at in 0..3 {
            world.places[at].newest = Format::ALL[world.rng.random_range(0..2)];
            world.start_within(at, Duration::from_secs(3));
        }
        for _ in 0..10 {
            world.live(Duration::from_secs(4), true);
            world.update_one();
        }
        for at in 0..3 {
            if world.places[at].newest != Format::NEWEST {
                world.update(at);
            }
        }
        check(&mut world, Duration::from_mins(2))?;
        world.step(0, Input::Upgrade);
        world.run(Duration::from_secs(5));
        let formats = world.formats();
        if formats.iter().any(|format| *format != Some(Format::NEWEST)) {
            return Err(format!("{formats:?}\n{}", world.log.join("\n")));
        }
        Ok(format!("{} writes", world.ledger.len()))
    });
}
