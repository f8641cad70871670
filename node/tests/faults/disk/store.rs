//! The store without its reserve, so that RocksDB itself meets the full disk wherever it may: in the
//! log, while it sorts writes into files, while it merges files.

use std::collections::HashMap;
use std::path::Path;

use kvs_node::store::{
    Batch, Column, Flush, Read as _, RocksOptions, RocksStore, Store as _, StoreError,
};
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::seed::Seed;
use crate::small_disk::{self, Ballast};
use crate::wait;

/// How often the disk fills up.
const TIMES: u64 = 2;

type Rows = HashMap<[u8; 2], Vec<u8>>;

fn open(folder: &Path) -> RocksStore {
    let options = RocksOptions { block_cache: 8 << 20, write_buffer: 4 << 20, disk_reserve: 0 };
    RocksStore::open(folder, &options).unwrap()
}

/// Writes rows until the store refuses one; those that it took are in `rows`.
fn write_until_refused(store: &RocksStore, random: &mut StdRng, rows: &mut Rows) -> StoreError {
    loop {
        let key = random.random_range(0..500u16).to_be_bytes();
        let mut value = vec![0; random.random_range(1..60_000)];
        random.fill(&mut value[..]);
        if let Err(error) = write(store, key, &value) {
            return error;
        }
        rows.insert(key, value);
    }
}

fn write(store: &RocksStore, key: [u8; 2], value: &[u8]) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    batch.put(Column::Data, &key, value);
    batch.put(Column::Hidx, &key, &value[..1]);
    store.write(&batch, Flush::Synced)
}

fn check(store: &RocksStore, rows: &Rows) {
    for (key, value) in rows {
        let found = store.get(Column::Data, key).unwrap();
        assert!(found.as_ref() == Some(value), "row {key:?} is not what was written");
        let found = store.get(Column::Hidx, key).unwrap();
        assert_eq!(found.as_deref(), Some(&value[..1]), "the second row of {key:?} differs");
    }
}

#[test]
fn the_store_recovers_from_meeting_a_full_disk() {
    let name = "disk::store::the_store_recovers_from_meeting_a_full_disk";
    small_disk::with(name, super::DISK_MIB, |folder| {
        let (seed, mut rows) = (Seed::choose(), Rows::new());
        let data = folder.join("data");
        std::fs::create_dir(&data).unwrap();
        let mut store = open(&data);
        for time in 0..TIMES {
            let mut random = seed.part(time);
            let mut ballast = Ballast::new(folder);
            ballast.fill(random.random_range(0..8 << 20));
            let error = write_until_refused(&store, &mut random, &mut rows);
            assert!(matches!(error, StoreError::Full { .. }), "{error}");
            check(&store, &rows);
            drop(ballast);
            wait::until("a write is taken again", || match write(&store, [9, 9], b"again") {
                Ok(()) => Some(()),
                Err(StoreError::Full { .. }) => None,
                Err(error) => panic!("{error}"),
            });
            check(&store, &rows);
            if random.random() {
                drop(store);
                store = open(&data);
                check(&store, &rows);
            }
        }
        drop(store);
        check(&open(&data), &rows);
    });
}
