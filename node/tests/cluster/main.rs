//! Nodes that agree: real processes on addresses of their own, that are started, cut off, killed,
//! copied and set back.
//!
//! Random choices come from a seed that is printed; `KVS_SEED` gives it back, `KVS_ROUNDS` asks for
//! more rounds.

#![expect(clippy::print_stdout, reason = "a test says its seed, what it skips, and what it found")]

mod clock;
mod figure;
mod ledger;
mod look;
mod network;
mod process;
#[path = "../faults/seed.rs"]
mod seed;
mod site;
mod wait;

mod accounts;
mod backups;
mod births;
mod chaos;
mod clocks;
mod fence;
mod halves;
mod operator;
mod outsiders;
mod partition;
mod replication;
mod restarts;
mod secrecy;
mod tampering;
mod twins;
mod upgrade;
mod walkthrough;
