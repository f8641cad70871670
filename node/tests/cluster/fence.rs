//! A volume that was set back in time: what it missed is forgotten by the others, so it must not
//! speak with them before it has forgotten too.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use kvs_client::ClusterStatus;

use crate::look::{all_agree, all_meet, json};
use crate::process::Process;
use crate::site::{Home, PORT, Site, copy_folder, kvs};
use crate::wait;

const KEYS: usize = 40;

fn key(at: usize) -> String {
    format!("thing/{at}")
}

/// Waits until everybody holds everything that was written up to now.
async fn all_hold_it(nodes: &[&Process]) {
    nodes[0].put("now", "1").await;
    let now = nodes[0].get("now").await.unwrap().timestamp;
    for node in nodes {
        node.sees("that it holds everything", |status| status.held > now).await;
    }
}

pub(crate) fn rescued(home: &Home) -> Vec<PathBuf> {
    let files = fs::read_dir(home.data()).unwrap().map(|entry| entry.unwrap().path());
    let rescued = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("rescue-") && name.ends_with(".ndjson")
    };
    files.filter(rescued).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_set_back_in_time_brings_nothing_deleted_back_and_loses_nothing_of_its_own() {
    let site = Site::new();
    let homes = site.cluster::<3>("tombstone_retention: 1s\n");
    let [first, second, third] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second, &third]).await;
    for at in 0..KEYS {
        first.put(&key(at), &at.to_string()).await;
    }
    all_hold_it(&[&first, &second, &third]).await;
    let name = third.cluster().await.unwrap().node;
    third.stop().await;
    // An image, which goes on by itself for a while.
    let elsewhere = SocketAddr::new(site.ip(9), PORT);
    let image = homes[2].copied("image", elsewhere);
    let third = homes[2].start();
    let lone = image.with("seed_nodes: []\nserve_while_syncing: true\n").start();
    let written = async || lone.client().put("alone", json("\"mine\"")).await.ok();
    wait::until("the image takes writes", written).await;
    lone.put(&key(KEYS - 1), "\"mine too\"").await;
    lone.stop().await;

    all_meet(&[&first, &second, &third]).await;
    for at in 0..KEYS / 2 {
        second.delete(&key(at)).await;
    }
    let before = first.cluster().await.unwrap().records.unwrap();
    let collected = |status: &ClusterStatus| {
        status.records.is_some_and(|records| records <= before - KEYS as u64 / 2)
    };
    for node in [&first, &second, &third] {
        node.sees("that the dead are forgotten", collected).await;
    }
    third.stop().await;

    fs::remove_dir_all(homes[2].data()).unwrap();
    copy_folder(&image.data(), &homes[2].data());
    let third = homes[2].start();
    third.says(["this node was away for too long"]).await;
    third.says(["what may be here alone was put aside"]).await;
    third.says(["caught up with all that can be reached"]).await;
    all_meet(&[&first, &second, &third]).await;
    all_agree(&[&first, &second, &third]).await;
    for node in [&first, &second, &third] {
        for at in 0..KEYS / 2 {
            assert_eq!(node.text(&key(at)).await, None, "a deleted key is back");
        }
        assert_eq!(node.text("alone").await, None);
        node.shows(&key(KEYS - 1), &(KEYS - 1).to_string()).await;
    }
    assert_eq!(third.cluster().await.unwrap().node, name, "the same node as before");

    let files = rescued(&homes[2]);
    assert_eq!(files.len(), 1, "{files:?}");
    let text = fs::read_to_string(&files[0]).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    let url = first.url();
    let imported = kvs().arg("import").arg(&files[0]).args(["--server", &url]).output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
    for node in [&first, &second, &third] {
        node.shows("alone", "\"mine\"").await;
        node.shows(&key(KEYS - 1), "\"mine too\"").await;
    }
}

/// The same without anything of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_through_deletes_and_their_end_is_filled_anew() {
    let site = Site::new();
    let homes = site.cluster::<2>("tombstone_retention: 1s\n");
    let [first, second] = homes.each_ref().map(Home::start);
    all_meet(&[&first, &second]).await;
    for at in 0..KEYS {
        first.put(&key(at), &at.to_string()).await;
    }
    all_hold_it(&[&first, &second]).await;
    second.stop().await;
    let image = homes[1].copied("image", SocketAddr::new(site.ip(9), PORT));
    let second = homes[1].start();
    all_meet(&[&first, &second]).await;
    for at in 0..KEYS {
        first.delete(&key(at)).await;
    }
    let empty = |status: &ClusterStatus| status.records.is_some_and(|records| records < 10);
    first.sees("that the dead are forgotten", empty).await;
    second.sees("that the dead are forgotten", empty).await;
    second.kill();
    fs::remove_dir_all(homes[1].data()).unwrap();
    copy_folder(&image.data(), &homes[1].data());
    let second = homes[1].start();
    second.says(["this node was away for too long"]).await;
    second.says(["nothing was written here that others cannot have"]).await;
    all_meet(&[&first, &second]).await;
    all_agree(&[&first, &second]).await;
    for at in 0..KEYS {
        assert_eq!(second.text(&key(at)).await, None, "a deleted key is back");
    }
    assert_eq!(rescued(&homes[1]), Vec::<PathBuf>::new());
}
