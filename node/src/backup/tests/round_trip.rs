//! What was backed up comes back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::task::TaskTracker;

use super::*;
use crate::caller::Caller;
use crate::store::{Column, Read as _, RocksStore, rows};

/// Every value that a store holds, with all that its row says.
fn values(data_dir: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let store = RocksStore::open(data_dir, &create::options()).unwrap();
    let mut data = store.cursor(Column::Data, &[], &[0xff]);
    let mut values = BTreeMap::new();
    while let Some((row, value)) = data.next().unwrap() {
        values.insert(row.to_vec(), value.to_vec());
    }
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_one_moment_and_comes_back_key_by_key_and_root_by_root() {
    let home = Home::new();
    let running = home.start();
    let node = running.node.clone();
    for at in 0..500 {
        put(&node, &format!("k/{at}"), "0").await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let load = TaskTracker::new().spawn({
        let (node, stop) = (node.clone(), stop.clone());
        async move {
            // Two keys, one after the other: a moment has the second only with the first.
            let mut round = 1;
            while !stop.load(Ordering::Relaxed) {
                put(&node, "first", &round.to_string()).await;
                put(&node, "second", &round.to_string()).await;
                round += 1;
            }
        }
    });
    let mut made = Vec::new();
    for _ in 0..3 {
        home.clock.advance(Duration::from_secs(1));
        made.push(back_up(&node).await);
    }
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    drop(node);
    running.stop().await.unwrap();

    for (at, backup) in made.iter().enumerate() {
        let dir = format!("restored{at}");
        let restored = home.restore(&backup.name, &dir).unwrap();
        assert_eq!(restored.manifest.root, *backup.root.as_ref().unwrap());
        let running =
            Running::start(home.settings(&dir), Arc::new(ManualClock::at(NOW + 9))).unwrap();
        let read = |key: &str| {
            let (node, record) = (running.node.clone(), RecordId::value(Key::client(key).unwrap()));
            async move {
                let version = node.newest(&Caller::anonymous(), record).await.unwrap();
                let Some(Body::Value(value)) = version.map(|version| version.body) else {
                    return 0;
                };
                std::str::from_utf8(&value.bytes().unwrap()).unwrap().parse::<u64>().unwrap()
            }
        };
        let (first, second) = (read("first").await, read("second").await);
        assert!(second <= first && first <= second + 1, "{first} {second}");
        for at in 0..500 {
            assert_eq!(read(&format!("k/{at}")).await, 0, "k/{at}");
        }
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn every_row_of_data_is_restored_and_the_node_is_another() {
    let home = Home::new();
    let (running, made) = backed_up(&home, 40).await;
    let old = running.node.identity().clone();
    let root = running.node.digest().root().unwrap();
    assert_eq!(made.root.as_deref(), Some(root.to_string().as_str()));
    running.stop().await.unwrap();

    let restored = home.restore(&made.name, "restored").unwrap();
    assert!(restored.new_cluster && restored.node != old.node);
    let mut after = values(&home.path("restored"));
    let own = kvs_core::members::Member::record(restored.node).unwrap().encode();
    assert!(after.remove(&own).is_some(), "its own record as a member");
    assert_eq!(after, values(&home.path("data")));
    let file = ClusterFile::load(&home.path("restored/cluster.kvs")).unwrap();
    assert_eq!(file.cluster(), restored.cluster);

    let running = Running::start(home.settings("restored"), home.clock.clone()).unwrap();
    let node = &running.node;
    let root = eventually("the tree is rebuilt", || node.digest().root()).await;
    assert_eq!(node.identity().node, restored.node);
    assert_eq!(node.identity().cluster, Some(restored.cluster));
    let derived = crate::digest::derive(node.store(), &node.identity().digest_key, 4).unwrap();
    assert_eq!(root, derived);
    assert_eq!(u64::from(root.count), restored.records);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_backup_of_a_member_is_restored_without_the_other_members() {
    let home = Home::new();
    let running = home.start_with(|settings| settings.clustering_enabled = true);
    running.node.catch_up().await;
    put(&running.node, "a", "1").await;
    let cluster = running.node.identity().cluster;
    let made = back_up(&running.node).await;
    assert_eq!(made.records, Some(2), "the value and the member");
    let old = running.node.identity().node;
    running.stop().await.unwrap();
    assert_eq!(cluster, None, "as it was when the node started");

    let file = ClusterFile::load(&home.path("data/cluster.kvs")).unwrap();
    assert_eq!(made.cluster, Some(file.cluster()));
    let other = ClusterFile::new([1; 16], [2; 32], [3; 32]);
    let foreign = home.restore_as(&made.name, "restored", Some(other)).unwrap_err();
    let said = foreign.to_string();
    assert!(matches!(foreign, RestoreError::Foreign { .. }), "{said}");
    assert!(said.contains(&file.cluster().to_string()), "{said}");

    let restored = home.restore_as(&made.name, "restored", Some(file.clone())).unwrap();
    assert_eq!((restored.cluster, restored.new_cluster), (file.cluster(), false));
    let rows = values(&home.path("restored"));
    let member = |node| kvs_core::members::Member::record(node).unwrap().encode();
    assert_eq!(rows.len(), 2);
    assert!(rows.contains_key(&member(restored.node)) && !rows.contains_key(&member(old)));

    let mut settings = home.settings("restored");
    settings.clustering_enabled = true;
    let running = Running::start(settings, home.clock.clone()).unwrap();
    tokio::time::timeout(DEADLINE, running.node.catch_up()).await.unwrap();
    put(&running.node, "b", "1").await;
    running.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_the_node_s_own_is_in_no_file_of_a_backup() {
    let home = Home::new();
    let running = home.start();
    put(&running.node, "a", "1").await;
    let secret = b"sealed-key-planted-by-a-test";
    let mut batch = crate::store::Batch::default();
    batch.put(Column::Local, b"sealed", secret);
    running.node.store().write(&batch, crate::store::Flush::Synced).unwrap();
    let made = back_up(&running.node).await;
    running.stop().await.unwrap();

    let name = BackupName::parse(&made.name).unwrap();
    let packed = home.shelf().open(&name.archive()).unwrap();
    let plain = zstd::stream::decode_all(packed).unwrap();
    assert!(!plain.windows(secret.len()).any(|window| window == secret));
    assert!(!plain.windows(7).any(|window| window == rows::local::CURSOR));
}
