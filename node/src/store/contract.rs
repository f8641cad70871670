//! What every store must do, run on each of them.

use proptest::prelude::*;

use super::*;

/// Runs `check` on a fresh store of each kind.
fn on_every_store(check: impl Fn(&dyn Store)) {
    check(&MemoryStore::default());
    let dir = tempfile::tempdir().unwrap();
    check(&open(dir.path()));
}

fn open(dir: &std::path::Path) -> RocksStore {
    let options = RocksOptions { block_cache: 1 << 20, write_buffer: 4 << 20, disk_reserve: 0 };
    RocksStore::open(dir, &options).unwrap()
}

fn batch(changes: &[Change<'_>]) -> Batch {
    let mut batch = Batch::default();
    for change in changes {
        match change {
            Change::Put(key, value) => batch.put(Column::Data, key, value),
            Change::Delete(key) => batch.delete(Column::Data, key),
        }
    }
    batch
}

fn rows(read: &dyn Read, start: &[u8], end: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut cursor = read.cursor(Column::Data, start, end);
    let mut rows = Vec::new();
    while let Some((key, value)) = cursor.next().unwrap() {
        rows.push((key.to_vec(), value.to_vec()));
    }
    rows
}

fn keys(read: &dyn Read, start: &[u8], end: &[u8]) -> Vec<String> {
    let text = |(key, _)| String::from_utf8(key).unwrap();
    rows(read, start, end).into_iter().map(text).collect()
}

#[test]
fn changes_of_a_batch_happen_in_their_order() {
    on_every_store(|store| {
        use Change::{Delete, Put};
        let changes = [Put(b"a", b"1"), Delete(b"a"), Put(b"b", b"1"), Put(b"b", b"2")];
        store.write(&batch(&changes), Flush::Synced).unwrap();
        assert_eq!(store.get(Column::Data, b"a").unwrap(), None);
        assert_eq!(store.get(Column::Data, b"b").unwrap(), Some(b"2".to_vec()));
        assert_eq!(store.get(Column::Log, b"b").unwrap(), None);
    });
}

#[test]
fn a_snapshot_does_not_change() {
    on_every_store(|store| {
        store.write(&batch(&[Change::Put(b"a", b"1")]), Flush::Later).unwrap();
        let snapshot = store.snapshot();
        store
            .write(&batch(&[Change::Delete(b"a"), Change::Put(b"b", b"2")]), Flush::Later)
            .unwrap();
        assert_eq!(snapshot.get(Column::Data, b"a").unwrap(), Some(b"1".to_vec()));
        assert_eq!(keys(&*snapshot, b"", b"z"), ["a"]);
        assert_eq!(keys(store, b"", b"z"), ["b"]);
        assert_eq!(snapshot.last(Column::Data).unwrap(), Some((b"a".to_vec(), b"1".to_vec())));
    });
}

#[test]
fn a_cursor_seeks_within_its_range() {
    on_every_store(|store| {
        let puts = [b"a", b"b", b"c", b"d"].map(|key| Change::Put(key, b""));
        store.write(&batch(&puts), Flush::Later).unwrap();
        let mut cursor = store.cursor(Column::Data, b"b", b"d");
        let mut next = |seek: Option<&[u8]>| {
            if let Some(key) = seek {
                cursor.seek(key);
            }
            cursor.next().unwrap().map(|(key, _)| key.to_vec())
        };
        assert_eq!(next(None), Some(b"b".to_vec()));
        assert_eq!(next(Some(b"bb")), Some(b"c".to_vec()));
        assert_eq!(next(Some(b"a")), Some(b"b".to_vec()));
        assert_eq!(next(Some(b"d")), None);
    });
}

#[test]
fn an_empty_or_inverted_range_has_no_rows() {
    on_every_store(|store| {
        store.write(&batch(&[Change::Put(b"b", b"")]), Flush::Later).unwrap();
        assert_eq!(keys(store, b"b", b"b"), Vec::<String>::new());
        assert_eq!(keys(store, b"c", b"a"), Vec::<String>::new());
    });
}

#[test]
fn what_was_just_written_is_known_without_the_disk() {
    on_every_store(|store| {
        store.write(&batch(&[Change::Put(b"a", b"1")]), Flush::Later).unwrap();
        let cached = store.get_cached(Column::Data, b"a").unwrap();
        assert_eq!(cached, Cached::Known(Some(b"1".to_vec())));
        assert_eq!(store.get_cached(Column::Data, b"b").unwrap(), Cached::Known(None));
    });
}

#[test]
fn the_sequence_rises_with_every_change_and_survives_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let before = store.sequence();
    store.write(&batch(&[Change::Put(b"a", b"1")]), Flush::Synced).unwrap();
    let after = store.sequence();
    assert!(after > before);
    drop(store);
    assert_eq!(open(dir.path()).sequence(), after);
}

#[test]
fn a_full_disk_has_no_room_for_clients_and_some_for_the_store_itself() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        RocksOptions { block_cache: 1 << 20, write_buffer: 4 << 20, disk_reserve: u64::MAX };
    let store = RocksStore::open(dir.path(), &options).unwrap();
    let room = store.check_room();
    assert!(matches!(room, Err(StoreError::Full { .. })), "{room:?}");
    store.write(&batch(&[Change::Put(b"a", b"1")]), Flush::Synced).unwrap();
    assert_eq!(store.get(Column::Data, b"a").unwrap(), Some(b"1".to_vec()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_stores_hold_the_same_rows(
        batches in prop::collection::vec(prop::collection::vec(("[a-d]{1,2}", prop::option::of("[xyz]")), 1..6), 1..6),
        (start, end) in ("[a-d]{0,2}", "[a-e]{0,2}"),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let stores: [Box<dyn Store>; 2] = [Box::new(MemoryStore::default()), Box::new(open(dir.path()))];
        for changes in &batches {
            let changes: Vec<_> = changes
                .iter()
                .map(|(key, value)| match value {
                    Some(value) => Change::Put(key.as_bytes(), value.as_bytes()),
                    None => Change::Delete(key.as_bytes()),
                })
                .collect();
            for store in &stores {
                store.write(&batch(&changes), Flush::Later).unwrap();
            }
        }
        let [memory, rocks] = stores.map(|store| rows(&*store, start.as_bytes(), end.as_bytes()));
        prop_assert_eq!(memory, rocks);
    }
}
