//! Looks at everything that a node or a stopped store holds.

use std::path::Path;

use kvs_client::{BatchItem, BatchOutcome, BatchResult, Client, PageOptions, Stored};
use kvs_core::digest::DigestKey;
use kvs_node::digest::{self, Digest};
use kvs_node::store::rows::local;
use kvs_node::store::{Column, Read as _, RocksOptions, RocksStore, Store as _};

use crate::ledger::{Allowance, Ledger, Lost};

/// Keys that are read in one request.
const AT_ONCE: usize = 50;
/// `digest_leaves: 65536` as levels of 16.
const DEPTH: u32 = 4;

/// A key and what a node answers for it.
pub(crate) type Found = (String, Option<Stored>);

/// Reads every key of the ledger.
pub(crate) async fn read(client: &Client, ledger: &Ledger) -> Vec<Found> {
    let mut found = Vec::new();
    for keys in ledger.names().chunks(AT_ONCE) {
        let items = keys.iter().map(BatchItem::get).collect();
        let results = client.batch(items).await.unwrap();
        assert_eq!(results.len(), keys.len());
        found.extend(keys.iter().cloned().zip(results.into_iter().map(stored)));
    }
    found
}

fn stored(result: BatchResult) -> Option<Stored> {
    match result.outcome {
        BatchOutcome::Read(stored) => Some(stored),
        BatchOutcome::Failed { .. } if result.status == 404 => None,
        other => panic!("a read failed: {other:?}"),
    }
}

/// Compares what a node holds with what it acknowledged.
///
/// # Panics
///
/// They differ.
pub(crate) fn settle(found: &[Found], ledger: &Ledger, allowance: Allowance) -> Lost {
    let mut lost = Lost::default();
    for (key, stored) in found {
        let number = stored.as_ref().map(|stored| ledger.number(stored.value.as_bytes()));
        let number = number.transpose().unwrap_or_else(|why| panic!("{key}: {why}"));
        lost.add(ledger.settle(key, number, allowance).unwrap_or_else(|why| panic!("lost: {why}")));
    }
    lost
}

/// Checks a key's history: the newest is what a read answers, and every revision can be read.
pub(crate) async fn history(client: &Client, ledger: &Ledger, (key, stored): &Found) {
    let Ok(page) = client.history(key, &PageOptions::default()).await else {
        assert_eq!(stored, &None, "{key} has a value and no history");
        return;
    };
    let current = page.items.first().filter(|revision| revision.size.is_some());
    assert_eq!(current.map(|revision| revision.uuid), stored.as_ref().map(|stored| stored.uuid));
    for revision in page.items.iter().filter(|revision| revision.size.is_some()) {
        let old = client.get_revision(key, revision.uuid).await.unwrap();
        ledger.number(old.value.as_bytes()).unwrap();
    }
}

/// Checks a stopped store: every index says what `data` says, and the digest tree that the node
/// saved is the one that follows from the rows.
pub(crate) fn offline(data_dir: &Path) {
    let options = RocksOptions { block_cache: 8 << 20, write_buffer: 4 << 20, disk_reserve: 0 };
    let store = RocksStore::open(data_dir, &options).unwrap();
    let root = digest::derive(&store, &digest_key(&store), DEPTH).unwrap();
    let saved = Digest::open(data_dir, DEPTH, store.sequence());
    assert_eq!(saved.root(), Some(root), "the saved digest tree is not that of the rows");
}

fn digest_key(store: &RocksStore) -> DigestKey {
    let row = store.get(Column::Local, local::IDENTITY).unwrap().unwrap();
    let row: serde_json::Value = serde_json::from_slice(&row).unwrap();
    DigestKey::new(serde_json::from_value(row["digest_key"].clone()).unwrap())
}
