//! What happens to clusters, and what must come of it.

use std::time::Duration;

use super::network::Network;
use crate::membership::State;

const HEAL: Duration = Duration::from_secs(15);

fn cluster(seed: u64, nodes: usize, seeds: Vec<usize>) -> Network {
    let mut network = Network::new(seed, 0.01, seeds);
    for _ in 0..nodes {
        network.start();
    }
    network.until(Network::is_one, Duration::from_secs(5));
    network
}

fn calm(network: &mut Network) -> usize {
    network.nodes.iter_mut().map(|node| std::mem::take(&mut node.downs)).sum()
}

#[test]
fn two_nodes_that_lost_each_other_find_each_other_again() {
    for seed in 0..20 {
        let mut network = cluster(seed, 2, vec![0]);
        network.split(|at| u8::try_from(at).unwrap());
        network.run(Duration::from_mins(10));
        assert!(network.nodes.iter().all(|node| node.up.is_empty()));
        network.split(|_| 0);
        network.until(Network::is_one, HEAL);
    }
}

#[test]
fn a_node_cut_off_for_an_hour_is_back_soon_whoever_is_the_seed() {
    for cut_off in [0, 1] {
        let mut network = cluster(1, 3, vec![0]);
        network.split(|at| u8::from(at == cut_off));
        network.run(Duration::from_hours(1));
        network.split(|_| 0);
        network.until(Network::is_one, HEAL);
    }
}

#[test]
fn nodes_that_start_before_their_seed_wait_for_it() {
    let mut network = Network::new(1, 0.01, vec![0]);
    for _ in 0..3 {
        network.start();
    }
    network.kill(0);
    network.run(Duration::from_mins(2));
    assert!(!network.nodes[1].membership.joined());
    network.restart(0, 1);
    network.until(Network::is_one, HEAL);
    assert!(network.nodes.iter().all(|node| node.membership.joined()));
}

#[test]
fn all_pods_may_come_back_with_other_addresses() {
    let mut network = cluster(3, 5, vec![0, 1, 2]);
    for at in 0..5 {
        network.kill(at);
    }
    network.run(Duration::from_secs(1));
    for at in 0..5 {
        network.restart(at, 2);
    }
    network.until(Network::is_one, Duration::from_secs(2));
}

#[test]
fn a_restart_faster_than_suspicion_is_a_change_and_not_an_end() {
    let mut network = cluster(4, 5, vec![0]);
    network.kill(3);
    network.restart(3, 2);
    network.until(Network::is_one, Duration::from_secs(2));
    assert_eq!(calm(&mut network), 0);
}

#[test]
fn who_leaves_is_gone_at_once_and_stays_so() {
    let mut network = cluster(5, 20, vec![0]);
    network.leave(7);
    network.until(Network::is_one, Duration::from_secs(2));
    network.run(Duration::from_mins(1));
    assert!(network.is_one());
    let seen = network.nodes[1].membership.members();
    let left: Vec<_> = seen.iter().filter(|seen| seen.state == State::Down).collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].member.name, "node-07");
}

#[test]
fn nobody_is_held_to_be_down_while_nothing_happens() {
    for seed in 0..5 {
        let mut network = cluster(seed, 20, vec![0]);
        network.run(Duration::from_mins(5));
        assert_eq!(calm(&mut network), 0, "seed {seed}");
    }
}

#[test]
fn a_store_set_back_to_an_old_copy_is_no_twin() {
    for seed in 0..20 {
        let mut network = Network::new(seed, 0.01, vec![0]);
        for _ in 0..5 {
            network.start();
        }
        network.until(Network::is_one, Duration::from_secs(5));
        network.kill(3);
        network.restart(3, 9);
        network.until(Network::is_one, Duration::from_secs(2));
        network.kill(3);
        network.restart(3, 2);
        network.until(Network::is_one, Duration::from_secs(10));
        network.run(Duration::from_secs(30));
        assert!(network.is_one());
        assert!(network.nodes.iter().all(|node| node.twins.is_empty()), "seed {seed}");
    }
}

#[test]
fn both_of_two_twins_are_told_and_nobody_else() {
    for seed in 0..20 {
        let mut network = cluster(seed, 5, vec![0]);
        let (original, copy) = (3, network.launch(3, 1));
        let boot = |network: &Network, at: usize| network.nodes[at].membership.me().boot;
        let told = |at: usize| move |network: &Network| !network.nodes[at].twins.is_empty();
        network.until(told(original), HEAL);
        network.until(told(copy), HEAL);
        assert_eq!(network.nodes[original].twins[0].boot, boot(&network, copy));
        assert_eq!(network.nodes[copy].twins[0].boot, boot(&network, original));
        network.run(Duration::from_mins(2));
        let others = [0, 1, 2, 4].map(|at| network.nodes[at].twins.len());
        assert_eq!(others, [0; 4]);
        assert!(network.nodes[copy].membership.twin().is_some(), "as long as both live");
        assert_eq!(network.nodes[copy].twins.len(), 1, "told once");
        network.kill(original);
        network.run(Duration::from_mins(3));
        assert_eq!(network.nodes[copy].membership.twin(), None);
    }
}
