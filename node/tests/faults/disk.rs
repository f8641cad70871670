//! A full disk: writes get 507, reading goes on, nothing is lost, and writing goes on by itself when
//! there is room again.

mod store;

use std::path::Path;
use std::time::Duration;

use kvs_client::{BatchItem, BatchOutcome, Client, ClientError, Value};
use kvs_node::time::monotonic;
use serde_json::value::RawValue;

use crate::audit;
use crate::ledger::{Allowance, Ledger};
use crate::process::{Home, Process, SMALL_FILES};
use crate::seed::Seed;
use crate::small_disk::{self, Ballast};
use crate::wait::DEADLINE;

/// The disk of these tests.
const DISK_MIB: u32 = 96;
/// `disk_reserve` of the nodes here: the least that can be set.
const RESERVE: u64 = 16 << 20;
/// Keys that are written before the disk fills up.
const KEYS: u32 = 200;

/// Runs a test of a node on a small disk.
fn on_a_small_disk(test: &str, body: impl AsyncFnOnce(&Path)) {
    small_disk::with(test, DISK_MIB, |folder| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(body(folder));
    });
}

fn json(text: String) -> Value {
    Value::Json(RawValue::from_string(text).unwrap())
}

async fn put(client: &Client, ledger: &Ledger, key: &str) -> Result<(), ClientError> {
    let (number, text) = ledger.compose();
    let ticket = ledger.begin(key, Some(number));
    let written = client.put(key, json(text)).await;
    match &written {
        Ok(_) => ledger.acknowledge(&ticket),
        Err(_) => ledger.withdraw(&ticket),
    }
    written.map(drop)
}

async fn put_keys(client: &Client, ledger: &Ledger) {
    for number in 0..KEYS {
        put(client, ledger, &format!("k/{number}")).await.unwrap();
    }
}

/// Everything that was acknowledged is there, and nothing that was refused.
async fn check(client: &Client, ledger: &Ledger) {
    let found = audit::read(client, ledger).await;
    audit::settle(&found, ledger, Allowance { end: monotonic(), window: Duration::ZERO });
}

#[track_caller]
fn assert_full<T: std::fmt::Debug>(answer: Result<T, ClientError>) {
    let error = answer.unwrap_err();
    let kind = error.problem().map(|problem| (problem.status, problem.kind.as_str()));
    assert_eq!(kind, Some((507, "urn:kvs:problem:disk-full")), "{error}");
}

/// Writes until it is taken; only "full" may be answered meanwhile.
async fn put_when_there_is_room(client: &Client, ledger: &Ledger, key: &str) {
    let began = monotonic();
    while let Err(error) = put(client, ledger, key).await {
        assert!(began.elapsed() < DEADLINE, "no write is taken again");
        assert_full(Err::<(), _>(error));
    }
}

#[test]
fn below_its_reserve_a_node_refuses_writes_and_reads_on() {
    on_a_small_disk("disk::below_its_reserve_a_node_refuses_writes_and_reads_on", async |folder| {
        let (home, ledger) = (Home::at(folder, SMALL_FILES), Ledger::new(Seed::choose()));
        let node = home.start();
        let client = node.client();
        put_keys(&client, &ledger).await;

        let mut ballast = Ballast::new(folder);
        ballast.fill(RESERVE / 2);
        assert_full(put(&client, &ledger, "k/1").await);
        assert_full(put(&client, &ledger, "new").await);
        assert_full(client.delete("k/2").await);
        check(&client, &ledger).await;
        assert!(client.readyz().await.unwrap(), "it serves what it has");

        // A node that is started again meanwhile serves what it has, too.
        node.stop();
        let node = home.start();
        let client = node.client();
        check(&client, &ledger).await;
        assert_full(put(&client, &ledger, "k/1").await);

        drop(ballast);
        put(&client, &ledger, "k/1").await.unwrap();
        check(&client, &ledger).await;
        stop_and_check(node, &home);
    });
}

#[test]
fn a_node_that_meets_a_full_disk_recovers_by_itself() {
    on_a_small_disk("disk::a_node_that_meets_a_full_disk_recovers_by_itself", async |folder| {
        let settings = format!("{SMALL_FILES}limits:\n  batch_size: 64MiB\n");
        let (home, ledger) = (Home::at(folder, &settings), Ledger::new(Seed::choose()));
        let node = home.start();
        let client = node.client();
        put_keys(&client, &ledger).await;

        // There is room when the batch is looked at, and too little for all of it.
        let mut ballast = Ballast::new(folder);
        ballast.fill(RESERVE + (1 << 20));
        refuse_a_large_batch(&client).await;
        check(&client, &ledger).await;
        assert_full(put(&client, &ledger, "k/1").await);

        drop(ballast);
        put_when_there_is_room(&client, &ledger, "k/1").await;
        check(&client, &ledger).await;
        assert_eq!(client.head("large/0").await.unwrap(), None, "part of the batch is there");

        node.kill();
        let node = home.start();
        check(&node.client(), &ledger).await;
        assert_eq!(node.client().head("large/0").await.unwrap(), None, "the batch came back");
        stop_and_check(node, &home);
    });
}

/// Sends more than the disk has room for, in one batch.
async fn refuse_a_large_batch(client: &Client) {
    let mut random = Seed::choose().part(0);
    let items = (0..40).map(|number| {
        let value = crate::ledger::noise(&mut random, 1_000_000);
        BatchItem::put(format!("large/{number}"), json(format!("{value:?}")))
    });
    match client.batch(items.collect()).await {
        Ok(results) => {
            for result in results {
                let BatchOutcome::Failed { problem } = result.outcome else {
                    panic!("a part was written: {}", result.status);
                };
                assert_eq!(problem.status, 507, "{problem}");
            }
        }
        refused => assert_full(refused),
    }
}

fn stop_and_check(node: Process, home: &Home) {
    node.stop();
    audit::offline(&home.data());
}
