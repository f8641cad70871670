//! Nodes that agree: real processes on addresses of their own, that are started, cut off, killed,
//! copied and set back.
//!
//! Random choices come from a seed that is printed; `KVS_SEED` gives it back, `KVS_ROUNDS` asks for
//! more rounds.

#![expect(clippy::print_stdout, reason = "a test says its seed, what it skips, and what it found")]

mod look;
mod process;
mod site;
mod wait;

mod replication;
mod walkthrough;
