//! `kill -9` at random instants: the tamper-evident log has every acknowledged write, and is whole.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use kvs_client::{Client, Value};
use kvs_core::audit::Event;
use kvs_node::audit::Log;
use kvs_node::audit::verify::{self, Order};
use kvs_node::store::{RocksOptions, RocksStore};
use rand::RngExt as _;
use tokio::sync::watch;
use uuid::Uuid;

use crate::process::{Home, SMALL_FILES};
use crate::seed::{self, Seed};

/// Writers that go on until the node is gone.
const WRITERS: usize = 8;

/// Writes until the node is gone; every version that was acknowledged is put into `known`.
async fn write(client: &Client, writer: usize, known: &watch::Sender<BTreeSet<Uuid>>) {
    for at in 0.. {
        let value = Value::json(&at).unwrap();
        let Ok(written) = client.put(&format!("k/{writer}/{}", at % 9), value).await else {
            return;
        };
        known.send_modify(|known| {
            known.insert(written.uuid);
        });
    }
}

/// The versions that entries of a log tell of.
fn logged(home: &Home) -> BTreeSet<Uuid> {
    let options = RocksOptions { block_cache: 8 << 20, write_buffer: 8 << 20, disk_reserve: 0 };
    let store = RocksStore::open_read_only(&home.data(), &options).unwrap();
    let log = Log::open(&store, &home.data()).unwrap();
    let entries = (0..log.sizes().size).map(|at| log.entry(at).unwrap().unwrap());
    entries
        .filter_map(|entry| match entry.event {
            Event::Write(uuid) => Some(uuid.uuid()),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_every_acknowledged_write_after_kill_9_and_is_whole() {
    let mut random = Seed::choose().part(5);
    let settings = format!("{SMALL_FILES}tamper_logging_enabled: true\naudit_segment: 256\n");
    let home = Home::new(&settings);
    let known = watch::Sender::new(BTreeSet::new());
    for _ in 0..seed::rounds(6) {
        let process = home.start();
        let client = process.client();
        let enough = known.borrow().len() + random.random_range(1..400);
        let writers = (0..WRITERS).map(|writer| write(&client, writer, &known));
        let killing = async {
            let mut seen = known.subscribe();
            let many = seen.wait_for(|known: &BTreeSet<Uuid>| known.len() >= enough).await;
            drop(many);
            process.kill();
        };
        tokio::join!(join_all(writers), killing);
        let report = verify::directory(&home.data(), &Order::default()).unwrap();
        let logged = logged(&home);
        assert!(known.borrow().is_subset(&logged), "an acknowledged write is not in the log");
        assert!(report.summary.size > known.borrow().len() as u64);
    }
    home.start().stop();
    let report = verify::directory(&home.data(), &Order::default()).unwrap();
    assert_eq!(report.summary.size, report.summary.signed);
}
