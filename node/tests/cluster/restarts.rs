//! Nodes that were away, that died, or that lost their disk: all come back and hold what all hold.

use std::fs;
use std::net::SocketAddr;

use crate::look::{all_agree, all_meet, fill};
use crate::process::Process;
use crate::site::{Home, Site};
use crate::wait;

/// Letters that compress little.
fn noise(length: usize) -> String {
    let letters = (0..length).map(|_| char::from(b'a' + rand::random::<u8>() % 26));
    format!("\"{}\"", letters.collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_away_comes_back_elsewhere_and_holds_what_all_hold() {
    let site = Site::new();
    let homes = site.cluster::<3>("");
    let [first, second, third] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second, &third]).await;
    fill(&first, "old", 200, |at| at.to_string()).await;
    third.shows("old/000199", "199").await;
    all_agree(&[&first, &second, &third]).await;
    let name = third.cluster().await.unwrap().node;
    third.stop().await;

    fill(&second, "new", 500, |at| at.to_string()).await;
    first.put("old/000001", "\"changed\"").await;
    second.delete("old/000002").await;
    let third = homes[2].moved(SocketAddr::new(site.ip(33), 8123)).start();
    third.serves().await;
    // It serves only once it knows what the others know.
    assert_eq!(third.text("new/000499").await.as_deref(), Some("499"));
    assert_eq!(third.text("old/000001").await.as_deref(), Some("\"changed\""));
    assert_eq!(third.text("old/000002").await, None);
    assert_eq!(third.cluster().await.unwrap().node, name);
    all_agree(&[&first, &second, &third]).await;
    third.put("back", "1").await;
    first.shows("back", "1").await;
    second.shows("back", "1").await;
    all_meet(&[&first, &second, &third]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_comes_back_and_holds_what_all_hold() {
    let site = Site::new();
    let homes = site.cluster::<3>("");
    let [first, second, third] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second, &third]).await;
    fill(&third, "mine", 300, |at| at.to_string()).await;
    // What it acknowledged it brings back, whether or not the others had it yet.
    third.kill();
    first.put("mine/000000", "\"theirs\"").await;
    fill(&second, "new", 300, |at| at.to_string()).await;
    let third = homes[2].start();
    third.serves().await;
    assert_eq!(third.text("new/000299").await.as_deref(), Some("299"));
    all_agree(&[&first, &second, &third]).await;
    for node in [&first, &second, &third] {
        node.shows("mine/000000", "\"theirs\"").await;
        node.shows("mine/000299", "299").await;
    }
    all_meet(&[&first, &second, &third]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_killed_at_once_come_back_as_the_same_cluster() {
    let site = Site::new();
    let homes = site.cluster::<3>("");
    let nodes = homes.each_ref().map(Home::start);
    all_meet(&nodes.each_ref()).await;
    for (at, node) in nodes.iter().enumerate() {
        fill(node, &format!("from{at}"), 100, |at| at.to_string()).await;
    }
    nodes.into_iter().for_each(Process::kill);
    let nodes = homes.each_ref().map(Home::start);
    all_meet(&nodes.each_ref()).await;
    all_agree(&nodes.each_ref()).await;
    for (at, _) in nodes.iter().enumerate() {
        nodes[0].shows(&format!("from{at}/000099"), "99").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_its_disk_is_filled_as_a_new_one() {
    let site = Site::new();
    let homes = site.cluster::<2>("");
    let [first, second] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second]).await;
    fill(&first, "a", 1_000, |at| at.to_string()).await;
    first.delete("a/000007").await;
    let before = second.cluster().await.unwrap();
    second.stop().await;
    fs::remove_dir_all(homes[1].data()).unwrap();
    fs::create_dir(homes[1].data()).unwrap();
    let second = homes[1].start();
    second.serves().await;
    assert_eq!(second.text("a/000999").await.as_deref(), Some("999"));
    assert_eq!(second.text("a/000007").await, None);
    let after = second.cluster().await.unwrap();
    assert_eq!(after.cluster, before.cluster);
    assert_ne!(after.node, before.node, "an empty disk is a new node");
    all_agree(&[&first, &second]).await;
    second.put("b", "1").await;
    first.shows("b", "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filling_goes_on_after_a_kill_in_its_middle() {
    let site = Site::new();
    let [first, second] = site.cluster::<2>("");
    let source = first.start();
    // It founds the cluster only once it is known that nobody else did.
    let second_once = second.start();
    all_meet(&[&source, &second_once]).await;
    second_once.stop().await;
    fs::remove_dir_all(second.data()).unwrap();
    fs::create_dir(second.data()).unwrap();
    fill(&source, "many", 4_000, |at| if at % 2 == 0 { noise(4_000) } else { at.to_string() })
        .await;
    source.delete("many/000001").await;

    let slow = second.with("bootstrap_rate: 2MiB\n");
    let mut reached = 0.0;
    for _ in 0..2 {
        let filling = slow.start();
        let status = filling.sees("a good part", |status| {
            status.filled.is_some_and(|filled| filled > reached + 0.15)
        });
        let status = status.await;
        assert_eq!(status.life, "filling");
        assert!(!filling.client().readyz().await.unwrap());
        reached = status.filled.unwrap();
        filling.kill();
        source.put("many/000003", &format!("\"{reached}\"")).await;
    }
    let filling = slow.start();
    let (first_seen, _) = wait::until("it goes on", async || filling.cluster().await?.filled).await;
    assert!(first_seen >= reached - 0.1, "from {first_seen}, and was at {reached}");
    filling.kill();
    let filled = second.start();
    filled.serves().await;
    assert_eq!(filled.text("many/000001").await, None);
    assert_eq!(filled.text("many/003999").await.as_deref(), Some("3999"));
    filled.shows("many/000003", &format!("\"{reached}\"")).await;
    all_agree(&[&source, &filled]).await;
}
