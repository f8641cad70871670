//! Damaged files: a flipped byte is found and named, and what it damages is never served.

mod log;

use std::fs;
use std::path::{Path, PathBuf};

use kvs_client::{BatchItem, BatchOutcome, Client, ClientError, TreeOptions};
use kvs_node::store::{Batch, Column, Flush, RocksOptions, RocksStore, Store as _, rows};
use serde_json::value::RawValue;

use crate::ledger::noise;
use crate::process::Home;
use crate::seed::Seed;

const KEYS: usize = 100;
/// Bytes of a value: a few of them share a block of a file.
const VALUE: usize = 2_000;

/// The files of the store with this extension, the largest last.
fn files(home: &Home, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.data().join("store")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort_by_key(|path| fs::metadata(path).unwrap().len());
    files
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn key(number: usize) -> String {
    format!("k/{number:03}")
}

fn value(text: &str) -> kvs_client::Value {
    kvs_client::Value::Json(RawValue::from_string(text.to_owned()).unwrap())
}

/// Writes the keys; answers their values.
async fn put_keys(client: &Client) -> Vec<String> {
    let mut random = Seed::choose().part(0);
    let texts: Vec<_> = (0..KEYS).map(|_| format!("{:?}", noise(&mut random, VALUE))).collect();
    let item = |(number, text): (usize, &String)| BatchItem::put(key(number), value(text));
    let results = client.batch(texts.iter().enumerate().map(item).collect()).await.unwrap();
    assert!(results.iter().all(|result| result.status == 201), "{results:?}");
    texts
}

fn is_damaged(error: &ClientError) -> bool {
    error
        .problem()
        .is_some_and(|problem| problem.status == 500 && problem.kind == "urn:kvs:problem:damaged")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_a_file_is_named_and_not_served() {
    let home = Home::new("");
    let node = home.start();
    let texts = put_keys(&node.client()).await;
    node.stop();
    // A start sorts what the log holds into files.
    home.start().stop();
    let file = files(&home, "sst").pop().unwrap();
    let length = fs::metadata(&file).unwrap().len();
    assert!(length > 100_000, "{} has only {length} bytes", file.display());
    flip(&file, 60_000);

    let mut node = home.start();
    let client = node.client();
    let mut damaged = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        match client.get_raw(&key(number)).await {
            Ok(raw) => assert_eq!(raw.data, text.as_bytes(), "{} is served wrong", key(number)),
            Err(error) if is_damaged(&error) => damaged.push(number),
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1..10).contains(&damaged.len()), "damaged: {damaged:?}");
    lists_refuse(&client).await;
    batches_refuse_the_damaged(&client, damaged[0]).await;
    // What it would replace cannot be read, so no revision could be kept of it.
    let put = client.put(&key(damaged[0]), value("1")).await;
    assert!(put.as_ref().is_err_and(is_damaged), "{put:?}");
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(node.said().contains(name), "the log does not name {name}: {}", node.said());
}

/// A list that would pass over what is damaged is no list.
async fn lists_refuse(client: &Client) {
    let listed = client.tree("k", &TreeOptions::default()).await;
    assert!(listed.as_ref().is_err_and(is_damaged), "{listed:?}");
}

async fn batches_refuse_the_damaged(client: &Client, damaged: usize) {
    let healthy = if damaged == 0 { KEYS - 1 } else { 0 };
    let items = [damaged, healthy].map(|number| BatchItem::get(key(number)));
    let results = client.batch(items.into()).await.unwrap();
    let [BatchOutcome::Failed { problem }, BatchOutcome::Read(_)] =
        [&results[0].outcome, &results[1].outcome]
    else {
        panic!("{results:?}");
    };
    assert_eq!(problem.status, 500, "{problem}");
}

#[test]
fn a_newer_format_is_refused_with_both_numbers() {
    let home = Home::new("");
    home.start().stop();
    let options = RocksOptions { block_cache: 8 << 20, write_buffer: 4 << 20, disk_reserve: 0 };
    let store = RocksStore::open(&home.data(), &options).unwrap();
    let mut batch = Batch::default();
    batch.put(Column::Local, rows::local::FORMAT, &7u64.to_be_bytes());
    store.write(&batch, Flush::Synced).unwrap();
    drop(store);
    let (code, said) = home.refusal();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("format 7") && said.contains("up to 2"), "{said}");
}

#[test]
fn a_second_node_on_a_data_directory_is_told_the_first_ones_pid() {
    let home = Home::new("");
    let first = home.start();
    let (code, said) = home.refusal();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("process {}", first.pid())), "{said}");
    assert!(said.contains(home.data().to_str().unwrap()), "{said}");
    first.stop();
    home.start().stop();
}
