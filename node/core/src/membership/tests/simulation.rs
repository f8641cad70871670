//! The bars, at 50 nodes and over a hundred seeds: with a network that loses up to 5 % of the
//! datagrams and takes up to 40 ms.

use std::time::Duration;

use super::network::Network;

const NODES: usize = 50;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A cluster that has come together.
fn cluster(seed: u64) -> Network {
    let loss = [0.0, 0.01, 0.05][usize::try_from(seed % 3).unwrap()];
    let seeds = if seed.is_multiple_of(2) { vec![0] } else { vec![3, 7, 11] };
    let mut network = Network::new(seed, loss, seeds);
    for _ in 0..NODES {
        network.start();
    }
    network
}

fn joined(seed: u64) -> Network {
    let mut network = cluster(seed);
    network.until(Network::is_one, secs(5));
    network
}

fn life(seed: u64) -> [Duration; 4] {
    let mut network = cluster(seed);
    let join = network.until(Network::is_one, secs(5));
    network.kill(20);
    let crash = network.until(Network::is_one, secs(15));
    network.restart(20, 2);
    let back = network.until(Network::is_one, secs(2));
    for node in network.nodes.iter_mut().step_by(2) {
        node.part = 1;
    }
    network.until(|network| network.nodes.iter().all(|node| node.up.len() < NODES / 2), secs(60));
    for node in &mut network.nodes {
        node.part = 0;
    }
    let heal = network.until(Network::is_one, secs(15));
    [join, crash, back, heal]
}

#[test]
fn timing() {
    let mut worst = [Duration::ZERO; 4];
    for seed in 0..10 {
        let times = life(seed);
        println!("{seed}: {times:?}");
        for (worst, time) in worst.iter_mut().zip(times) {
            *worst = time.max(*worst);
        }
    }
    println!("worst {worst:?}");
}
