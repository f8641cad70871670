//! Births: whatever the order in which nodes start, however late one is or whatever it lost on the way,
//! nodes of one cluster file become one cluster; and none is founded beside it.

use std::fs;

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::json;

use crate::figure;
use crate::look::{all_agree, all_meet};
use crate::process::Process;
use crate::seed::{self, Seed};
use crate::site::{Home, PORT, Site};

const NODES: usize = 3;

/// Starts a node, and now and then wipes it in the middle of its birth.
async fn bear(home: &Home, random: &mut StdRng) -> Process {
    let node = home.start();
    if !random.random_ratio(1, 4) {
        return node;
    }
    if random.random() {
        node.sees("a cluster file", |_| true).await;
    }
    node.kill();
    if random.random() {
        fs::remove_dir_all(home.data()).unwrap();
        fs::create_dir(home.data()).unwrap();
    }
    home.start()
}

async fn round(random: &mut StdRng) {
    let site = Site::new();
    let mut homes = site.cluster::<NODES>("");
    homes.shuffle(random);
    let late = random.random_range(0..NODES);
    let mut nodes = Vec::new();
    for (at, home) in homes.iter().enumerate() {
        // A node alone waits for another: only from the second on is there somebody to be late for.
        if at > 1 && at > late {
            let early: Vec<&Process> = nodes.iter().collect();
            all_meet(&early).await;
            early[0].put("early", "1").await;
        }
        nodes.push(bear(home, random).await);
    }
    let nodes: Vec<&Process> = nodes.iter().collect();
    all_meet(&nodes).await;
    nodes[0].put("a", "1").await;
    nodes[2].shows("a", "1").await;
    all_agree(&nodes).await;
    let early = nodes[0].text("early").await;
    for node in nodes {
        assert_eq!(node.text("early").await, early);
        let status = node.cluster().await.unwrap();
        let reached = status.peers.iter().filter(|peer| peer.reachable).count();
        assert_eq!(reached, NODES - 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_one_file_are_one_cluster_whatever_happens_at_their_births() {
    let seed = Seed::choose();
    let rounds = seed::rounds(3);
    for at in 0..rounds {
        round(&mut seed.part(at)).await;
    }
    figure::tell(
        "births",
        &json!({ "rounds": rounds, "nodes": NODES, "seed": seed.0.to_string() }),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_seeds_that_do_not_answer_founds_nothing() {
    let site = Site::new();
    site.cluster_file("cluster.kvs");
    let seeds = format!("seed_nodes: [\"{}:{PORT}\", \"nowhere.invalid:8080\"]\n", site.ip(9));
    let home = site.member(1, 1, &seeds);
    let node = home.start();
    // Ten times as long as nodes wait that met only empty ones.
    node.says(["up, and waits for its cluster"]).await;
    assert_eq!(node.cluster().await.unwrap().life, "unborn");
    assert!(!node.client().readyz().await.unwrap());
    assert!(node.client().put("a", crate::look::json("1")).await.is_err());
}
