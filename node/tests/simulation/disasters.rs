//! What happens to disks, and what operators do about it.

use std::sync::Arc;
use std::time::Duration;

use kvs_core::NodeId;
use kvs_core::engine::{Input, Life};
use kvs_core::members::{ListId, Standing};

use crate::disk::Disk;
use crate::world::{Place, World};

impl World {
    /// Loses a disk: whoever starts there next is another node. Says who is gone.
    pub(crate) fn lose_disk(&mut self, at: usize) -> NodeId {
        let gone = self.places[at].disk_id();
        self.stop_for_good(at);
        self.format(at);
        self.say(at, format_args!("lost its disk, and with it {gone}"));
        gone
    }

    /// Sets a disk back to what it was.
    pub(crate) fn set_back(&mut self, at: usize, image: &Disk) {
        self.stop_for_good(at);
        self.places[at].disk = Arc::new(image.image());
        self.say(at, "its disk is set back");
    }

    /// What only this disk has is written off.
    fn stop_for_good(&mut self, at: usize) {
        self.crash(at);
        let others = self.places.iter().enumerate().filter(|(other, _)| *other != at);
        let others: Vec<Arc<Disk>> = others.map(|(_, place)| place.disk.clone()).collect();
        let lost = self.places[at].disk.clone();
        self.ledger.write_off(&lost, &others);
        // Whoever brings a node back sees to its clock.
        self.set_clock(at, 0);
    }

    /// Starts a copy of a node's disk elsewhere: two live under one id.
    pub(crate) fn clone_disk(&mut self, at: usize) -> usize {
        let disk = self.places[at].disk.image();
        self.places.push(Place::new(disk));
        let copy = self.places.len() - 1;
        self.say(copy, format_args!("is a copy of {at}"));
        self.start_within(copy, Duration::from_millis(10));
        copy
    }

    /// An operator makes a copy another node, which begins empty.
    pub(crate) fn reset_identity(&mut self, at: usize) {
        if let Some(pulse) = self.places[at].running.as_ref().map(|node| node.gate().pulse) {
            let disk = self.places[at].disk.clone();
            self.ledger.rescue(&*disk, pulse.held, pulse.horizon);
        } else {
            self.stop_for_good(at);
        }
        self.places[at].running = None;
        self.places[at].forget_whom_it_reaches();
        self.format(at);
        self.start_within(at, Duration::from_millis(100));
    }

    /// An operator has a node give another one up.
    pub(crate) fn forget(&mut self, at: usize, node: NodeId) {
        self.step(at, Input::Forget(node));
    }

    /// An operator gives up whoever counts and has no place any more.
    pub(crate) fn forget_the_lost(&mut self) {
        let living: Vec<NodeId> = self.places.iter().map(Place::disk_id).collect();
        for at in 0..self.places.len() {
            let Some(node) = &self.places[at].running else { continue };
            if node.engine.life() != Life::Serving && node.engine.life() != Life::Filling {
                continue;
            }
            let members = node.engine.view(self.clock(at)).members;
            let lost: Vec<NodeId> = members
                .joined()
                .map(|member| member.node)
                .filter(|node| !living.contains(node))
                .collect();
            for node in lost {
                self.forget(at, node);
            }
        }
    }

    /// An operator begins anew where all data is lost: who waits to be filled waits for nobody.
    pub(crate) fn give_up_on_the_empty(&mut self) {
        let places = 0..self.places.len();
        let lives: Vec<Option<Life>> = places.map(|at| self.life(at)).collect();
        let empty = |life: &Option<Life>| matches!(life, Some(Life::Unborn | Life::Filling));
        if lives.iter().all(empty) {
            for at in (0..lives.len()).filter(|at| lives[*at] == Some(Life::Filling)) {
                self.reset_identity(at);
            }
        }
    }

    /// A node is told to go for good.
    pub(crate) fn leave(&mut self, at: usize) {
        self.places[at].leaving = true;
        self.say(at, "is to leave");
        self.step(at, Input::Leave);
    }

    /// What each node says of who counts.
    pub(crate) fn lists(&self) -> Vec<ListId> {
        let of = |at: usize| {
            let node = self.places[at].running.as_ref()?;
            Some(node.engine.view(self.clock(at)).list)
        };
        (0..self.places.len()).filter_map(of).collect()
    }

    /// What one node says another is.
    pub(crate) fn standing(&self, at: usize, node: NodeId) -> Option<Standing> {
        let view = self.places[at].running.as_ref()?.engine.view(self.clock(at));
        view.members.get(node).map(|member| member.standing)
    }
}
