//! A node that rewrites its own log is unmasked by what the others kept of it.

use std::path::Path;

use kvs_client::Client;
use kvs_core::UnixMillis;
use kvs_core::audit::{Entry, Head, SignedHead};
use kvs_node::audit::{Appender, Edge, Log, NodeKey, Said, layout};
use kvs_node::local;
use kvs_node::store::{Batch, Column, Flush, Read as _, RocksOptions, RocksStore, Store as _};

use crate::look::{all_agree, all_meet, fill};
use crate::process::Process;
use crate::site::{Home, Site, kvs};
use crate::wait;

const SETTINGS: &str = "tamper_logging_enabled: true\naudit_segment: 256\n";

const OFF: &str = "tamper_logging_enabled: false\n";

/// Waits until a node keeps a head of another's log with at least so many entries.
async fn keeps(node: &Process, of: uuid::Uuid, size: u64) {
    let client = node.client();
    let what = format!("{} keeps {size} entries of {of}", node.address());
    wait::until(&what, async || {
        let head = client.audit_head(None).await.ok()?;
        head.peers.iter().find(|peer| peer.node == of && peer.size >= size).map(drop)
    })
    .await;
}

/// Waits until a node says how another's log was rewritten.
async fn accuses(client: &Client, of: uuid::Uuid) -> String {
    wait::until("the others say so", async || {
        let head = client.audit_head(None).await.ok()?;
        head.peers.into_iter().find(|peer| peer.node == of)?.rewritten
    })
    .await
    .0
}

/// The store of a stopped node.
fn open(data_dir: &Path) -> RocksStore {
    let options = RocksOptions { block_cache: 8 << 20, write_buffer: 8 << 20, disk_reserve: 0 };
    RocksStore::open(data_dir, &options).unwrap()
}

/// Has a stopped node's log say that an entry was made at another time, and signs that with its key:
/// what whoever owns the machine can do.
fn rewrite(data_dir: &Path, which: u64) {
    let store = open(data_dir);
    let log = Log::open(&store, data_dir).unwrap();
    let entries: Vec<Entry> =
        (0..log.sizes().size).map(|at| log.entry(at).unwrap().unwrap()).collect();
    let (mut appender, mut batch) = (Appender::default(), Batch::default());
    for Entry { sequence, time, event, subject, key, outcome, .. } in entries {
        let time = UnixMillis(if sequence == which { time.0 - 1 } else { time.0 });
        appender.append(&mut batch, time, Said { event, subject, key, outcome });
    }
    appender.finish(&mut batch);
    store.write(&batch, Flush::Synced).unwrap();
    let edge = Edge::read(&store, layout::END).unwrap();
    let head = store.get(Column::Local, layout::HEAD).unwrap().unwrap();
    let head = serde_json::from_slice::<SignedHead>(&head).unwrap().head;
    let head = Head { root: edge.frontier.root(), size: edge.size(), ..head };
    let signed = NodeKey::open(&store).unwrap().sign(head);
    let mut batch = Batch::default();
    batch.put(Column::Local, layout::HEAD, &serde_json::to_vec(&signed).unwrap());
    store.write(&batch, Flush::Synced).unwrap();
}

/// Has a node start over as one that was away for too long does, which is then filled by the others.
async fn emptied(node: Process, home: &Home) -> Process {
    node.stop().await;
    local::mark_for_emptying(&open(&home.data()), false).unwrap();
    let node = home.start();
    node.serves().await;
    node
}

/// Runs `kvs audit verify`; whether it found nothing, and what it said.
fn verify(data_dir: &Path, heads: Option<&Path>) -> (bool, String) {
    let mut command = kvs();
    command.args(["audit", "verify"]).arg(data_dir);
    if let Some(heads) = heads {
        command.arg("--heads").arg(heads);
    }
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_rewrites_its_log_is_unmasked_by_its_peers() {
    let site = Site::new();
    let homes = site.cluster::<3>(SETTINGS);
    let [first, second, third] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second, &third]).await;
    fill(&third, "mine", 100, |at| at.to_string()).await;
    all_agree(&[&first, &second, &third]).await;
    let liar = third.cluster().await.unwrap().node;
    for node in [&first, &second] {
        keeps(node, liar, 100).await;
    }
    third.stop().await;
    rewrite(&homes[2].data(), 50);
    assert!(verify(&homes[2].data(), None).0, "its key signs whatever it likes");

    let third = homes[2].start();
    third.serves().await;
    for node in [&first, &second] {
        let why = accuses(&node.client(), liar).await;
        assert!(why.contains("cannot prove") || why.contains("other entries"), "{why}");
        let metrics = String::from_utf8(node.ask("/metrics").await.unwrap()).unwrap();
        assert!(metrics.contains(r#"kvs_audit_peers{state="rewritten"} 1"#), "{metrics}");
        node.says(["ERROR", "a node rewrote its audit log"]).await;
    }
    // It serves all the same, and accuses nobody.
    third.put("still", "1").await;
    let others = third.client().audit_head(None).await.unwrap().peers;
    assert!(others.iter().all(|peer| peer.rewritten.is_none()), "{others:?}");
    for node in [first, second, third] {
        node.stop().await;
    }
    let (fine, said) = verify(&homes[2].data(), Some(&homes[0].data()));
    assert!(!fine && said.contains("are not those that the node signed"), "{said}");
    let (fine, said) = verify(&homes[1].data(), Some(&homes[0].data()));
    assert!(fine && said.contains("is as it was written"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_shows_its_log_no_more_is_said_to_be_silent() {
    let site = Site::new();
    let homes = site.cluster::<2>(SETTINGS);
    let [first, second] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second]).await;
    let name = second.cluster().await.unwrap().node;
    fill(&second, "a", 10, |at| at.to_string()).await;
    keeps(&first, name, 10).await;
    second.stop().await;
    let second = homes[1].with(OFF).start();
    second.serves().await;
    wait::until("the other says so", async || {
        let head = first.client().audit_head(None).await.ok()?;
        head.peers.iter().find(|peer| peer.node == name)?.silent_since
    })
    .await;
    let metrics = String::from_utf8(first.ask("/metrics").await.unwrap()).unwrap();
    assert!(metrics.contains(r#"kvs_audit_peers{state="silent"} 1"#), "{metrics}");
    first.says(["WARN", "does not show its audit log any more"]).await;
    for node in [first, second] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_killed_emptied_or_archive_are_accused_of_nothing() {
    let site = Site::new();
    let homes = site.cluster::<2>(SETTINGS);
    let [first, second] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second]).await;
    let name = second.cluster().await.unwrap().node;
    fill(&second, "a", 700, |at| at.to_string()).await;
    keeps(&first, name, 700).await;
    let mut second = second;
    for round in 0..3 {
        fill(&second, &format!("b{round}"), 50, |at| at.to_string()).await;
        second.kill();
        second = homes[1].start();
        second.serves().await;
    }
    fill(&second, "c", 10, |at| at.to_string()).await;
    keeps(&first, name, 860).await;
    let second = emptied(second, &homes[1]).await;
    all_meet(&[&first, &second]).await;
    all_agree(&[&first, &second]).await;
    assert_eq!(second.cluster().await.unwrap().node, name, "the same node as before");
    second.shows("a/000000", "0").await;
    fill(&second, "d", 40, |at| at.to_string()).await;
    keeps(&first, name, 900).await;
    for (node, home) in [(first, &homes[0]), (second, &homes[1])] {
        let peers = node.client().audit_head(None).await.unwrap().peers;
        assert!(peers.iter().all(|peer| peer.rewritten.is_none()), "{peers:?}");
        node.stop().await;
        let (fine, said) = verify(&home.data(), None);
        assert!(fine, "{said}");
    }
}
