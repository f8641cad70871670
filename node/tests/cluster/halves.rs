//! Two halves of a cluster that gave each other up: one of them stays.

use std::fs;

use kvs_client::{ClientError, ClusterStatus};

use crate::fence::rescued;
use crate::look::{all_agree, all_meet};
use crate::process::Process;
use crate::site::{Home, Site, kvs};
use crate::wait;

const KEYS: usize = 20;

fn key(half: &str, at: usize) -> String {
    format!("{half}/{at}")
}

/// Has `node` give up the others of these names, once it sees that they are gone.
async fn gives_up(node: &Process, others: [&str; 2]) {
    for other in others {
        let forgotten = async || match node.client().forget(other).await {
            Ok(status) => Some(status),
            Err(ClientError::Problem(problem)) => {
                assert!(problem.kind.ends_with("member-kept"), "{problem}");
                None
            }
            Err(error) => panic!("{error}"),
        };
        wait::until(&format!("{} gives {other} up", node.address()), forgotten).await;
    }
}

/// A half lives by itself: it gives the other one up, deletes one folder and forgets that it did, and
/// writes something.
async fn lives_alone(nodes: [&Process; 2], others: [&str; 2], half: &str) {
    all_meet(&nodes).await;
    gives_up(nodes[0], others).await;
    let before = nodes[0].cluster().await.unwrap().records.unwrap();
    for at in 0..KEYS {
        nodes[0].delete(&key(half, at)).await;
    }
    let forgotten = |status: &ClusterStatus| {
        status.records.is_some_and(|records| records <= before - KEYS as u64)
    };
    for node in nodes {
        node.sees("that the dead are forgotten", forgotten).await;
    }
    nodes[1].put(&format!("alone/{half}"), "1").await;
    nodes[0].shows(&format!("alone/{half}"), "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_halves_that_gave_each_other_up_one_stays_and_the_other_loses_nothing() {
    let site = Site::new();
    let homes = site.cluster::<4>("tombstone_retention: 1s\n");
    let nodes = homes.each_ref().map(Home::start);
    all_meet(&nodes.each_ref()).await;
    for half in ["left", "right"] {
        for at in 0..KEYS {
            nodes[0].put(&key(half, at), "1").await;
        }
    }
    all_agree(&nodes.each_ref()).await;
    let [first, second, third, fourth] = nodes;
    third.stop().await;
    fourth.stop().await;
    lives_alone([&first, &second], ["node3", "node4"], "left").await;
    first.stop().await;
    second.stop().await;

    let seeds = format!("seed_nodes: [\"{}:8080\", \"{}:8080\"]\n", site.ip(3), site.ip(4));
    let [third, fourth] = [2, 3].map(|at: usize| homes[at].with(&seeds).start());
    lives_alone([&third, &fourth], ["node1", "node2"], "right").await;
    third.stop().await;
    fourth.stop().await;

    let nodes = homes.each_ref().map(Home::start);
    all_meet(&nodes.each_ref()).await;
    all_agree(&nodes.each_ref()).await;
    let left_stays = nodes[0].text("alone/left").await.is_some();
    let (stays, goes, home) = if left_stays { ("left", "right", 3) } else { ("right", "left", 1) };
    for node in &nodes {
        assert_eq!(node.text(&format!("alone/{goes}")).await, None);
        for at in 0..KEYS {
            assert_eq!(node.text(&key(stays, at)).await, None, "a deleted key is back");
            assert_eq!(node.text(&key(goes, at)).await.as_deref(), Some("1"));
        }
    }
    let files = rescued(&homes[home]);
    assert_eq!(files.len(), 1, "{files:?}");
    let text = fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains(&format!("alone/{goes}")), "{text}");
    let url = nodes[0].url();
    let imported = kvs().arg("import").arg(&files[0]).args(["--server", &url]).output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
    for node in &nodes {
        node.shows(&format!("alone/{goes}"), "1").await;
    }
}
