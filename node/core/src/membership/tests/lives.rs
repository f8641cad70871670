//! The bars, at 50 nodes and over a hundred seeds: with a network that loses up to 5 % of the
//! datagrams and takes up to 40 ms for each.

use std::ops::Range;
use std::time::Duration;

use super::network::Network;

const NODES: usize = 50;

/// Everybody knows everybody after a start of all.
const JOIN: Duration = Duration::from_secs(5);
/// A crash is known to all.
const CRASH: Duration = Duration::from_secs(15);
/// A node that returns with another address is known to all.
const BACK: Duration = Duration::from_secs(2);
/// A healed partition is one cluster.
const HEAL: Duration = Duration::from_secs(15);
/// Bytes a second while nothing happens.
const IDLE: usize = 1_000;

/// Nodes that are just starting, all at once. They know one seed or three.
fn starting(seed: u64) -> Network {
    let loss = [0.0, 0.01, 0.05][usize::try_from(seed % 3).unwrap()];
    let seeds = if seed.is_multiple_of(2) { vec![0] } else { vec![3, 7, 11] };
    let mut network = Network::new(seed, loss, seeds);
    for _ in 0..NODES {
        network.start();
    }
    network
}

/// Runs one cluster through all of it. A failure names the seed.
fn live(seed: u64) {
    let mut network = starting(seed);
    network.until(Network::is_one, JOIN);
    network.kill(20);
    network.until(Network::is_one, CRASH);
    network.restart(20, 2);
    network.until(Network::is_one, BACK);
    let parts = 2 + usize::try_from(seed % 4).unwrap();
    network.split(|at| u8::from(at % parts == 0));
    let apart = |network: &Network| network.nodes.iter().all(|node| node.up.len() < NODES - 1);
    network.until(apart, Duration::from_mins(1));
    network.split(|_| 0);
    network.until(Network::is_one, HEAL);
}

fn live_all(seeds: Range<u64>) {
    seeds.for_each(live);
}

#[test]
fn every_bar_holds_with_seeds_to_25() {
    live_all(0..25);
}

#[test]
fn every_bar_holds_with_seeds_to_50() {
    live_all(25..50);
}

#[test]
fn every_bar_holds_with_seeds_to_75() {
    live_all(50..75);
}

#[test]
fn every_bar_holds_with_seeds_to_100() {
    live_all(75..100);
}

/// Bytes a second that each node sends while nothing happens, without what IP and UDP add.
fn idle_rate(seed: u64) -> usize {
    let mut network = starting(seed);
    network.until(Network::is_one, JOIN);
    network.run(Duration::from_secs(10));
    network.bytes = 0;
    network.run(Duration::from_mins(2));
    network.bytes / 120 / NODES
}

#[test]
fn an_idle_node_sends_and_takes_less_than_a_kilobyte_a_second() {
    for seed in [0, 1, 3, 4, 6, 7] {
        // Whatever is sent is taken by somebody.
        let rate = 2 * idle_rate(seed);
        assert!(rate < IDLE, "seed {seed}: {rate} bytes a second");
    }
}

#[test]
fn not_even_where_a_twentieth_is_lost_does_an_idle_node_send_a_kilobyte_a_second() {
    for seed in [2, 5, 8] {
        let rate = idle_rate(seed);
        assert!(rate < IDLE, "seed {seed}: {rate} bytes a second");
    }
}
