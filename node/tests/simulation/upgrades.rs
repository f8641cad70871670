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

    /// Gives up whoever nobody is any more: a node that had to begin anew did so under another id.
    fn forget_who_is_gone(&mut self) {
        let running = |place: &crate::world::Place| Some(place.running.as_ref()?.id);
        let there: Vec<_> = self.places.iter().filter_map(running).collect();
        let now = self.clock(0);
        let Some(node) = &self.places[0].running else { return };
        let members = node.engine.view(now).members;
        let gone = members.joined().map(|member| member.node).filter(|id| !there.contains(id));
        for id in gone.collect::<Vec<_>>() {
            self.step(0, Input::Forget(id));
        }
    }

    /// Asks again and again, as somebody would who is told that a node cannot be reached.
    fn upgrades_within(&mut self, span: Duration) -> bool {
        let end = self.now + span;
        while self.now < end {
            self.forget_who_is_gone();
            self.step(0, Input::Upgrade);
            self.run(Duration::from_secs(1));
            if self.formats().iter().all(|format| *format == Some(Format::NEWEST)) {
                return true;
            }
        }
        false
    }

    fn formats(&self) -> Vec<Option<Format>> {
        let running = |place: &crate::world::Place| Some(place.running.as_ref()?.format());
        self.places.iter().map(running).collect()
    }
}

#[test]
fn a_cluster_is_updated_in_the_middle_of_trouble() {
    each_seed("updated", 30, |seed| {
        let mut world = World::new(seed, 3, RETENTION);
        // Clocks that are an hour ahead are another trial's: who is alone with one is not found out.
        world.wrong_until = Duration::MAX;
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
        if !world.upgrades_within(Duration::from_secs(30)) {
            return Err(format!("{:?}\n{}", world.formats(), world.log.join("\n")));
        }
        Ok(format!("{} writes", world.ledger.len()))
    });
}
