//! Backups of a cluster, and clusters of any size that are made of one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::look::{all_agree, all_meet, all_serve, fill};
use crate::process::Process;
use crate::site::{Home, Site, kvs};
use crate::wait;

/// Keys that are written to each node before the backup.
const KEYS: usize = 300;
/// The least number of keys that are written while something goes on.
const LOAD: usize = 50;

/// Writes one key after another as long as something goes on; how many.
async fn under_load<T>(node: &Process, folder: &str, what: impl Future<Output = T>) -> (T, usize) {
    let over = AtomicBool::new(false);
    let writing = async {
        let mut count = 0;
        while count < LOAD || !over.load(Ordering::Relaxed) {
            node.put(&format!("{folder}/{count:06}"), &count.to_string()).await;
            count += 1;
        }
        count
    };
    let doing = async {
        let done = what.await;
        over.store(true, Ordering::Relaxed);
        done
    };
    tokio::join!(doing, writing)
}

/// Has a node make a backup; its file.
async fn back_up(node: &Process, home: &Home) -> PathBuf {
    let client = node.client();
    let name = client.create_backup().await.unwrap().name;
    let made = async || {
        let status = client.backup_status().await.unwrap();
        assert_eq!(status.failed, 0, "{status:?}");
        status.last_success.filter(|last| last.name == name)
    };
    wait::until("the backup is made", made).await;
    home.data().join(format!("backups/{name}.tar.zst"))
}

/// A backup of one of three nodes, two of which are written to meanwhile.
async fn backup_of_three(site: &Site) -> PathBuf {
    let homes = site.cluster::<3>("");
    let nodes = homes.each_ref().map(Home::start);
    let [first, second, third] = &nodes;
    all_meet(&[first, second, third]).await;
    for (at, node) in nodes.iter().enumerate() {
        fill(node, &format!("node{at}"), KEYS, |at| at.to_string()).await;
    }
    third.delete("node0/000007").await;
    all_agree(&[first, second, third]).await;
    let making = Box::pin(under_load(second, "second", back_up(first, &homes[0])));
    let ((file, _), _) = Box::pin(under_load(first, "first", making)).await;
    file
}

/// Restores into the home of the first node; how many records it then has, and the cluster's file.
fn restore(file: &Path, home: &Home, cluster: Option<&Path>) -> (u64, PathBuf) {
    let mut command = kvs();
    command.args(["backup", "restore", "--json"]).arg(file).arg("--data-dir").arg(home.data());
    if let Some(cluster) = cluster {
        command.arg("--cluster").arg(cluster);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    (said["records"].as_u64().unwrap(), home.data().join("cluster.kvs"))
}

/// Every value that a node has, as lines.
fn export(node: &Process) -> Vec<String> {
    let output = kvs().args(["export", "--server", &node.url()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Makes a cluster of so many nodes of a backup, and writes to it from its first moment on.
async fn restored_into<const N: usize>(file: &Path, cluster: Option<&Path>) {
    let site = Site::new();
    let homes = site.homes::<N>("");
    let (records, secret) = restore(file, &homes[0], cluster);
    fs::copy(secret, site.path("cluster.kvs")).unwrap();
    let first = homes[0].start();
    all_serve(&[&first]).await;
    let joining = async {
        let others: Vec<Process> = homes[1..].iter().map(Home::start).collect();
        let nodes: Vec<&Process> = [&first].into_iter().chain(&others).collect();
        all_meet(&nodes).await;
        others
    };
    let (others, load) = under_load(&first, "load", joining).await;
    let nodes: Vec<&Process> = [&first].into_iter().chain(&others).collect();
    all_agree(&nodes).await;
    // Each other node is there as a member.
    let expected = records + (load + N - 1) as u64;
    let lines = export(&first);
    assert!(lines.len() >= 3 * KEYS - 1 + load, "{} lines", lines.len());
    for node in nodes {
        assert_eq!(node.cluster().await.unwrap().records, Some(expected));
        assert_eq!(export(node), lines);
        for (key, text) in [("node0/000000", "0"), ("node1/000123", "123"), ("node2/000299", "299")]
        {
            assert_eq!(node.text(key).await.as_deref(), Some(text), "{key}");
        }
        assert_eq!(node.text("node0/000007").await, None, "a deleted key is back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_three_nodes_under_load_becomes_one_three_or_five_that_hold_the_same() {
    let site = Site::new();
    let file = backup_of_three(&site).await;
    restored_into::<1>(&file, None).await;
    restored_into::<3>(&file, Some(&site.path("cluster.kvs"))).await;
    restored_into::<5>(&file, None).await;
}
