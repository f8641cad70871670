//! What a node does when the ground shakes: `kill -9`, power loss, a full disk, damaged files.
//!
//! Everything here runs the real program on a real file system. Random choices come from a seed that
//! is printed; `KVS_SEED` gives it back, `KVS_ROUNDS` asks for more rounds.

#![expect(clippy::print_stdout, reason = "a test says its seed, what it skips, and what it found")]

mod seed;
mod wait;

mod audit;
mod figure;
mod follower;
mod ledger;
mod load;
mod process;
mod simulated_power;
mod small_disk;
mod trial;

mod backup;
mod crash;
mod damage;
mod disk;
mod power;
