//! Three nodes from one cluster file: whatever is done on one is so on all.

use std::collections::BTreeMap;

use kvs_client::{
    BatchItem, Field, ListOptions, MetadataPatch, ModeSetting, PageOptions, PutOptions, Value,
};

use crate::look::{all_agree, all_meet, json};
use crate::process::Process;
use crate::site::Site;
use crate::wait;

/// The largest value that is allowed by default.
const MOST: usize = 1 << 20;

async fn three(site: &Site) -> [Process; 3] {
    let nodes = site.cluster("").map(|home| home.start());
    all_meet(&nodes.each_ref()).await;
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_from_one_file_are_one_cluster_in_any_order_of_start() {
    let orders = [[0, 1, 2], [2, 1, 0], [1, 2, 0]];
    for (order, late) in orders.into_iter().zip([false, true, true]) {
        let site = Site::new();
        let homes = site.cluster::<3>("");
        let mut nodes: BTreeMap<usize, Process> = BTreeMap::new();
        for (at, number) in order.into_iter().enumerate() {
            if late && at == 2 {
                let early: Vec<&Process> = nodes.values().collect();
                all_meet(&early).await;
                early[0].put("early", "1").await;
            }
            nodes.insert(number, homes[number].start());
        }
        let nodes: Vec<&Process> = nodes.values().collect();
        all_meet(&nodes).await;
        if late {
            for node in &nodes {
                node.shows("early", "1").await;
            }
        }
        all_agree(&nodes).await;
        let mut clusters = Vec::new();
        for node in &nodes {
            clusters.push(node.cluster().await.unwrap().cluster);
        }
        clusters.dedup();
        assert_eq!(clusters.len(), 1, "one cluster");
        let members: serde_json::Value =
            serde_json::from_slice(&nodes[0].ask("/members/").await.unwrap()).unwrap();
        let members = members["members"].as_array().unwrap().clone();
        assert_eq!(members.len(), 3);
        assert!(members.iter().all(|member| member["state"] == "alive"), "{members:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_and_deletes_on_each_are_seen_on_all() {
    let site = Site::new();
    let nodes = three(&site).await;
    for (at, node) in nodes.iter().enumerate() {
        let key = format!("from/{at}");
        node.put(&key, r#"{"is": "new"}"#).await;
        for other in &nodes {
            other.shows(&key, r#"{"is": "new"}"#).await;
        }
        nodes[(at + 1) % 3].put(&key, "2").await;
        for other in &nodes {
            other.shows(&key, "2").await;
        }
        nodes[(at + 2) % 3].delete(&key).await;
        for other in &nodes {
            other.lacks(&key).await;
        }
    }
    all_agree(&nodes.each_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_to_live_metadata_revisions_and_batches_are_seen_on_all() {
    let site = Site::new();
    let nodes = three(&site).await;
    let [first, second, third] = nodes.each_ref().map(Process::client);

    let options = PutOptions { ttl: Some("2s".into()), ..PutOptions::default() };
    first.put_with("short", json("1"), &options).await.unwrap();
    nodes[1].shows("short", "1").await;
    let expires = second.metadata("short").await.unwrap().expires;
    assert_eq!(expires, first.metadata("short").await.unwrap().expires);
    assert!(expires.is_some());
    for node in &nodes {
        node.lacks("short").await;
    }

    let patch = MetadataPatch {
        mode: Some(ModeSetting::Text("cdwr--------".into())),
        ttl: Field::Set("1h".into()),
        ..MetadataPatch::default()
    };
    second.patch_metadata("governed", &patch).await.unwrap();
    let governed = async || {
        let found = third.metadata("governed/by").await.ok()?;
        (found.governed_by.as_deref() == Some("governed")).then_some(found)
    };
    let (found, _) = wait::until("metadata is replicated", governed).await;
    assert_eq!((found.mode.text.as_str(), found.ttl.as_deref()), ("cdwr--------", Some("1h")));

    let items = vec![
        BatchItem::put("batch/a", json("1")),
        BatchItem::put("batch/b", json("2")),
        BatchItem::delete("governed/none"),
    ];
    third.batch(items).await.unwrap();
    nodes[0].shows("batch/b", "2").await;
    let listed = async || {
        let listed = first.ls("batch", &ListOptions::default()).await.ok()?;
        (listed.items.len() == 2).then_some(())
    };
    wait::until("the batch is listed", listed).await;

    first.put("often", json("1")).await.unwrap();
    nodes[1].shows("often", "1").await;
    second.put("often", json("2")).await.unwrap();
    nodes[2].shows("often", "2").await;
    third.put("often", json("3")).await.unwrap();
    for node in &nodes {
        node.shows("often", "3").await;
        let history = node.client().history("often", &PageOptions::default()).await.unwrap();
        assert_eq!(history.items.len(), 3);
        let mut origins: Vec<_> = history.items.iter().map(|revision| revision.origin).collect();
        origins.sort_unstable();
        origins.dedup();
        assert_eq!(origins.len(), 3, "each version tells who accepted it");
    }
    all_agree(&nodes.each_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_up_to_the_limit_and_of_any_bytes_are_seen_on_all() {
    let site = Site::new();
    let nodes = three(&site).await;
    // What does not compress, and what does.
    let noise: Vec<u8> = (0..MOST).map(|_| rand::random()).collect();
    let values = [noise, vec![0; MOST], (0..=255).collect(), Vec::new()];
    for (at, value) in values.iter().enumerate() {
        let from = nodes[at % 3].client();
        let key = format!("bytes/{at}");
        let sent = Value::bytes("application/x-noise", value.clone());
        from.put(&key, sent).await.unwrap();
    }
    let text = format!("\"{}\"", "x".repeat(MOST - 2));
    nodes[0].put("text", &text).await;
    for node in &nodes {
        node.shows("text", &text).await;
        for (at, value) in values.iter().enumerate() {
            let key = format!("bytes/{at}");
            let there = async || node.get(&key).await.map(|_| ());
            wait::until(&format!("{key} is on {}", node.address()), there).await;
            let raw = node.client().get_raw(&key).await.unwrap();
            assert_eq!(raw.content_type, "application/x-noise");
            assert!(raw.data == *value, "{key} differs");
        }
    }
    all_agree(&nodes.each_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_and_one_that_dies_are_missed() {
    let site = Site::new();
    let [first, second, third] = three(&site).await;
    second.stop().await;
    let alive = |count: usize| {
        let first = &first;
        async move || {
            let members = first.client().members().await.ok()?.members;
            (members.iter().filter(|member| member.state == "alive").count() == count).then_some(())
        }
    };
    let ((), took) = wait::until("the stopped node is down", alive(2)).await;
    println!("a node that stopped was missed after {took:?}");
    third.kill();
    let ((), took) = wait::until("the killed node is down", alive(1)).await;
    println!("a node that was killed was missed after {took:?}");
    first.put("alone", "1").await;
}
