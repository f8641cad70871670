//! A cluster from a seed: the engine, the writer's applier and the store's rows as they run in a
//! node, under a scheduler of our own. No threads, no sockets, no clock but a virtual one.
//!
//! `KVS_SEED` gives a seed back, `KVS_ROUNDS` says how many there are to be for a trial that is worth
//! many; others get so many fewer, as they do in a plain run.

#![expect(clippy::print_stdout, reason = "a test says its seed and what it found")]

mod births;
mod chaos;
mod conflicts;
mod deaths;
mod disasters;
mod disk;
mod fences;
#[path = "../cluster/figure.rs"]
mod figure;
mod ledger;
mod node;
mod seeds;
mod trials;
mod upgrades;
mod world;
