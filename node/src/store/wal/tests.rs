use super::*;
use crate::store::{
    Batch, Column, Flush, OpenError, Read as _, RocksOptions, RocksStore, Store as _,
};

const OPTIONS: RocksOptions =
    RocksOptions { block_cache: 1 << 20, write_buffer: 4 << 20, disk_reserve: 0 };

/// The database of a store that wrote rows of these sizes, one batch each, and its log.
fn written(sizes: &[usize]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::open(dir.path(), &OPTIONS).unwrap();
    for (number, size) in sizes.iter().enumerate() {
        let value: Vec<u8> = (0..*size).map(|_| rand::random()).collect();
        let mut batch = Batch::default();
        batch.put(Column::Data, &number.to_be_bytes(), &value);
        store.write(&batch, Flush::Synced).unwrap();
    }
    drop(store);
    let mut logs = logs(&dir.path().join("store")).unwrap();
    logs.retain(|log| fs::metadata(log).unwrap().len() > 0);
    assert_eq!(logs.len(), 1);
    (dir, logs.remove(0))
}

fn rows(dir: &Path) -> usize {
    let store = RocksStore::open(dir, &OPTIONS).unwrap();
    let mut cursor = store.cursor(Column::Data, &[], &[0xff]);
    let mut count = 0;
    while cursor.next().unwrap().is_some() {
        count += 1;
    }
    count
}

#[test]
fn every_flipped_bit_of_a_log_is_found() {
    let (_dir, log) = written(&[0, 1, 30]);
    let bytes = fs::read(&log).unwrap();
    assert_eq!(damage_of(&log).unwrap(), None);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            fs::write(&log, flipped).unwrap();
            assert!(damage_of(&log).unwrap().is_some(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn flipped_bits_of_a_long_log_are_found() {
    let (_dir, log) = written(&[20_000, 40_000, 10, 90_000, 100, 7_000]);
    let bytes = fs::read(&log).unwrap();
    assert_eq!(damage_of(&log).unwrap(), None);
    for at in (0..bytes.len()).step_by(397) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&log, flipped).unwrap();
        assert!(damage_of(&log).unwrap().is_some(), "byte {at}");
    }
}

#[test]
fn a_log_cut_anywhere_is_no_damage() {
    let (dir, log) = written(&[300, 40_000, 1, 200]);
    let bytes = fs::read(&log).unwrap();
    for length in (0..bytes.len()).rev().step_by(71) {
        fs::write(&log, &bytes[..length]).unwrap();
        assert_eq!(damage_of(&log).unwrap(), None, "cut to {length} bytes");
    }
    fs::write(&log, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(rows(dir.path()), 3);
}

#[test]
fn zeros_at_the_end_are_no_damage_and_zeros_within_are() {
    let (_dir, log) = written(&[300, 50_000, 1]);
    let bytes = fs::read(&log).unwrap();
    let mut longer = bytes.clone();
    longer.resize(bytes.len() + 50_000, 0);
    fs::write(&log, &longer).unwrap();
    assert_eq!(damage_of(&log).unwrap(), None);
    let mut hole = bytes;
    hole[4_096..BLOCK].fill(0);
    fs::write(&log, &hole).unwrap();
    assert!(damage_of(&log).unwrap().is_some());
}

#[test]
fn a_store_with_a_damaged_log_is_not_opened_and_the_log_named() {
    let (dir, log) = written(&[300, 300, 300]);
    let mut bytes = fs::read(&log).unwrap();
    // The length of the first record: without the check, RocksDB opens a store without rows.
    bytes[5] ^= 0x40;
    fs::write(&log, bytes).unwrap();
    let error = RocksStore::open(dir.path(), &OPTIONS).unwrap_err();
    let OpenError::Damaged { path, reason } = &error else { panic!("{error}") };
    assert_eq!((path, reason.as_str()), (&log, "its record at byte 0 is not as it was written"));
}
