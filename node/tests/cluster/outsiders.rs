//! Who does not belong: other clusters' nodes, nodes without a secret, and noise.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use kvs_client::ClusterFile;

use crate::look::{all_agree, all_meet};
use crate::site::{Home, PEER_PORT, Site};
use crate::wait;

/// How long a stranger waits for an answer that need not come.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_cluster_file_is_refused_and_both_say_so() {
    let site = Site::new();
    let [first, second] = site.cluster::<2>("").map(|home| home.start());
    all_meet(&[&first, &second]).await;
    first.put("secret", "1").await;
    site.cluster_file("other.kvs");
    let stranger = site.member(3, 3, "").with("cluster_file: ../other.kvs\n");
    let stranger = stranger.start();
    stranger.says(["do not accept each other", &site.ip(1).to_string()]).await;
    first.says(["a peer was turned away", "outsider"]).await;
    assert!(!stranger.client().readyz().await.unwrap());
    for node in [&first, &second] {
        let members = node.client().members().await.unwrap().members;
        assert_eq!(members.len(), 2, "{members:?}");
    }
    first.put("still", "1").await;
    second.shows("still", "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_one_cluster_does_not_start_with_the_file_of_another() {
    let site = Site::new();
    let [first, second] = site.cluster::<2>("");
    let nodes = [first.start(), second.start()];
    all_meet(&nodes.each_ref()).await;
    let [running, stopping] = nodes;
    stopping.stop().await;
    let other = ClusterFile::load(&site.cluster_file("other.kvs")).unwrap().cluster();
    let found = running.cluster().await.unwrap().cluster;
    let mut wrong = second.with("cluster_file: ../other.kvs\n").start();
    let status = wrong.ended().await;
    assert!(!status.success());
    wrong.says([&found.to_string(), &other.to_string(), "give this node the file"]).await;
    // And it has not changed by that.
    let second = second.start();
    all_meet(&[&running, &second]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_others_can_reach_does_not_start_with_seeds_and_without_a_file() {
    let site = Site::new();
    let everywhere = SocketAddr::new([0, 0, 0, 0].into(), 0);
    let home = site.alone(1, "seed_nodes: [\"192.0.2.1:8080\"]\n").moved(everywhere);
    let mut node = home.start();
    assert!(!node.ended().await.success());
    let said = node.says(["kvs cluster new --out", "cluster_file"]).await;
    assert!(said.contains("192.0.2.1:8080"), "{said}");
    assert!(!home.data().join("cluster.kvs").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_data_of_its_own_does_not_join_and_is_told_how() {
    let site = Site::new();
    let lone = site.alone(1, "clustering_enabled: false\n");
    let node = lone.start();
    node.serves().await;
    node.put("mine", "1").await;
    node.stop().await;
    site.cluster_file("cluster.kvs");
    let mut node = site.member(1, 2, "").start();
    assert!(!node.ended().await.success());
    node.says(["stood alone", "kvs export", "kvs import"]).await;
    let node = lone.start();
    node.serves().await;
    node.shows("mine", "1").await;
}

/// Pods come and go, and their addresses with them.
#[tokio::test(flavor = "multi_thread")]
async fn another_clusters_node_at_a_reused_address_is_not_taken_for_the_one_that_was_there() {
    let site = Site::new();
    let homes = site.cluster::<3>("");
    let [first, second, third] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second, &third]).await;
    let name = third.cluster().await.unwrap().node;
    third.kill();

    site.cluster_file("other.kvs");
    let other = site.alone(4, "cluster_file: ../other.kvs\n");
    let there = SocketAddr::new(site.ip(3), crate::site::PORT);
    let other = other.moved(there).start();
    other.serves().await;
    other.put("theirs", "1").await;
    first.put("ours", "1").await;
    second.shows("ours", "1").await;
    let down = |status: &kvs_client::ClusterStatus| {
        status.peers.iter().any(|peer| peer.id == name && !peer.reachable)
    };
    first.sees("that the third is gone", down).await;
    assert_eq!(other.text("ours").await, None);
    assert_eq!(first.text("theirs").await, None);

    let moved = SocketAddr::new(site.ip(5), crate::site::PORT);
    let third = homes[2].moved(moved).start();
    all_meet(&[&first, &second, &third]).await;
    all_agree(&[&first, &second, &third]).await;
    assert_eq!(third.text("theirs").await, None);
    third.shows("ours", "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_at_the_ports_for_peers_changes_nothing() {
    let site = Site::new();
    let [first, second] = site.cluster::<2>("").map(|home| home.start());
    all_meet(&[&first, &second]).await;
    let target = SocketAddr::new(site.ip(1), PEER_PORT);
    let noise: Vec<u8> = (0..60_000).map(|_| rand::random()).collect();
    let udp = UdpSocket::bind((site.ip(9), 0)).unwrap();
    for length in [0, 1, 40, 41, 100, 1_400, 60_000] {
        for _ in 0..20 {
            udp.send_to(&noise[..length], target).unwrap();
        }
    }
    // Also as whoever never sends, sends too much, or speaks in clear.
    let silent: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect_timeout(&target, PATIENCE).unwrap()).collect();
    for start in [&noise[..], b"GET /birth HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\xff\xff"] {
        let mut tcp = TcpStream::connect_timeout(&target, PATIENCE).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        // The other side may close while it is being sent.
        let _ = tcp.write_all(start);
        let _ = tcp.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = tcp.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains("secret"));
    }
    first.says(["a datagram was refused", &site.ip(9).to_string()]).await;
    for at in 0..20 {
        let key = format!("during/{at}");
        first.put(&key, "1").await;
        second.shows(&key, "1").await;
    }
    drop(silent);
    let refused = async || {
        let metrics = String::from_utf8(first.ask("/metrics").await?).unwrap();
        let counted = |line: &&str| {
            line.starts_with("kvs_gossip_refusals") && line.rsplit(' ').next() != Some("0")
        };
        metrics.lines().find(counted).map(str::to_owned)
    };
    println!("{}", wait::until("the metrics count it", refused).await.0);
    all_meet(&[&first, &second]).await;
    let members = first.client().members().await.unwrap().members;
    assert!(members.iter().all(|member| member.state == "alive"), "{members:?}");
}
