//! Clusters from a seed: an API server, the StatefulSet controller, kubelets and a store, as far as the
//! plan depends on them, with an operator that is killed between any two writes and looks at stale
//! caches. Whatever happens: one disruption at a time, no disk deleted whose data is not elsewhere, no
//! acknowledged write lost, and in the end nothing more to do.
//!
//! `KVS_SEED` gives a seed back, `KVS_ROUNDS` says how many there are to be for each trial.

#![expect(clippy::print_stdout, reason = "a trial says its seed and what failed")]

mod controller;
#[path = "../../../../node/tests/cluster/figure.rs"]
mod figure;
mod hands;
mod nodes;
mod operator;
mod restore;
#[path = "../../../../node/tests/simulation/seeds.rs"]
mod seeds;
mod trials;
mod world;
