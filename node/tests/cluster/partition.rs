//! Nodes that are cut off from each other and find together again.

use kvs_client::ClusterStatus;

use crate::look::{all_agree, all_meet};
use crate::network::Network;
use crate::process::Process;
use crate::site::{Home, Site};
use crate::wait;

/// Three nodes, each in a network namespace of its own.
struct Scene {
    homes: [Home; 3],
    // Nodes end before their network does.
    _site: Site,
    network: Network,
}

impl Scene {
    fn new(settings: &str) -> Option<Self> {
        let network = Network::new(3)?;
        let site = Site::of(network.prefix);
        let homes = site.cluster::<3>(settings);
        let mut number = 0;
        let homes = homes.map(|home| {
            number += 1;
            home.inside(&network.namespace(number))
        });
        Some(Self { homes, _site: site, network })
    }

    fn start(&self) -> [Process; 3] {
        self.homes.each_ref().map(Home::start)
    }
}

/// Waits until a node reaches so many others.
async fn reaches(node: &Process, count: usize) {
    let such =
        |status: &ClusterStatus| status.peers.iter().filter(|peer| peer.reachable).count() == count;
    node.sees(&format!("{count} others"), such).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sides_of_a_partition_take_writes_and_agree_on_the_last_once_healed() {
    let Some(scene) = Scene::new("") else { return };
    let nodes = scene.start();
    let [first, second, third] = &nodes;
    all_meet(&nodes.each_ref()).await;
    for key in ["both", "here/deleted", "there/deleted", "changed/deleted"] {
        first.put(key, "0").await;
        third.shows(key, "0").await;
    }
    all_agree(&nodes.each_ref()).await;
    scene.network.cut_off(3);
    reaches(first, 1).await;
    reaches(third, 0).await;

    first.put("here", "1").await;
    second.shows("here", "1").await;
    third.put("there", "1").await;
    third.put("both", "\"there\"").await;
    first.put("both", "\"here\"").await;
    third.put("third last", "\"first\"").await;
    first.put("third last", "\"first\"").await;
    third.put("third last", "\"third\"").await;
    first.delete("here/deleted").await;
    third.delete("there/deleted").await;
    third.put("changed/deleted", "\"changed\"").await;
    first.delete("changed/deleted").await;
    assert_eq!(first.text("there").await, None);
    assert_eq!(third.text("here").await, None);

    scene.network.heal();
    let began = kvs_node::time::monotonic();
    all_meet(&nodes.each_ref()).await;
    all_agree(&nodes.each_ref()).await;
    println!("healed and agreed after {:?}", began.elapsed());
    for node in &nodes {
        node.shows("here", "1").await;
        node.shows("there", "1").await;
        // The later one, wherever it was written.
        node.shows("both", "\"here\"").await;
        node.shows("third last", "\"third\"").await;
        for key in ["here/deleted", "there/deleted", "changed/deleted"] {
            assert_eq!(node.text(key).await, None, "{key} is back on {}", node.address());
        }
    }
    let history =
        third.client().history("both", &kvs_client::PageOptions::default()).await.unwrap();
    let lost = history.items.iter().find(|revision| !revision.current).unwrap();
    assert!(lost.superseded.is_some(), "what lost is kept with the reason");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_do_not_reach_each_other_agree_by_a_third() {
    let Some(scene) = Scene::new("") else { return };
    let nodes = scene.start();
    let [first, second, third] = &nodes;
    all_meet(&nodes.each_ref()).await;
    scene.network.cut(1, 3);
    // Whether or not gossip calls them reachable by way of the second.
    first.put("from first", "1").await;
    third.put("from third", "1").await;
    second.shows("from first", "1").await;
    second.shows("from third", "1").await;
    third.shows("from first", "1").await;
    first.shows("from third", "1").await;
    scene.network.heal();
    all_meet(&nodes.each_ref()).await;
    all_agree(&nodes.each_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_leads_in_one_direction_only_loses_nothing() {
    let Some(scene) = Scene::new("") else { return };
    let nodes = scene.start();
    let [first, _, third] = &nodes;
    all_meet(&nodes.each_ref()).await;
    scene.network.cut_one_way(1, 3);
    for at in 0..50 {
        first.put(&format!("first/{at}"), "1").await;
        third.put(&format!("third/{at}"), "1").await;
    }
    scene.network.heal();
    all_agree(&nodes.each_ref()).await;
    for node in &nodes {
        node.shows("first/49", "1").await;
        node.shows("third/49", "1").await;
    }
    all_meet(&nodes.each_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_restarts_while_it_is_cut_off_is_back_once_it_is_not() {
    let Some(scene) = Scene::new("serve_while_syncing: true\n") else { return };
    let nodes = scene.start();
    all_meet(&nodes.each_ref()).await;
    scene.network.cut_off(3);
    let [first, second, third] = nodes;
    third.kill();
    first.put("meanwhile", "1").await;
    let third = scene.homes[2].start();
    let taken = async || third.client().put("lonely", crate::look::json("1")).await.ok();
    wait::until("a node that serves while it is syncing takes writes", taken).await;
    scene.network.heal();
    let nodes = [&first, &second, &third];
    all_meet(&nodes).await;
    all_agree(&nodes).await;
    for node in nodes {
        node.shows("meanwhile", "1").await;
        node.shows("lonely", "1").await;
    }
}
