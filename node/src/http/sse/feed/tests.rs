use std::path::Path;
use std::time::Duration;

use kvs_core::{
    Body, Command, Condition, ContentType, Expiry, Key, RecordId, Stamp, Value, VersionId,
};
use uuid::Uuid;

use super::*;
use crate::local;
use crate::records::MetaKeys;
use crate::store::{Flush, MemoryStore};
use crate::writer::{Applier, Retention, Write};

const NOW: u64 = 1_000_000;
const START: Position = Position { incarnation: 7, sequence: 0, expired: Stamp::MIN };

/// A store into which `keys` were put, those with a TTL at the same instant.
fn store(keys: &[(&str, Option<u64>)]) -> MemoryStore {
    let store = MemoryStore::default();
    let state = local::open(&store, Path::new("memory"), UnixMillis(1)).unwrap();
    let mut applier = Applier::new(&state, Retention { count: 3, max_age: None });
    for (key, ttl) in keys {
        let command = Command::Put {
            body: Body::Value(Value::plain(ContentType::JSON, "1".into())),
            expiry: ttl.map_or(Expiry::Never, |ttl| Expiry::After(Duration::from_millis(ttl))),
            condition: Condition::Always,
            uuid: VersionId::new(Uuid::new_v4()),
            author: None,
        };
        let record = RecordId::value(Key::client(key).unwrap());
        applier
            .apply(&store, [Write { record, command }], &[], UnixMillis(NOW), Flush::Later)
            .unwrap();
    }
    store
}

fn look(store: &MemoryStore, at: Position, live: bool, backlog: usize, scan_keys: usize) -> Found {
    let caller = Caller::anybody();
    let (metadata, now) = (MetaKeys::default(), UnixMillis(NOW + 500));
    let view = View { read: store, caller: &caller, metadata: &metadata, now, scan_keys };
    find(&view, &Prefix::Root, at, live, backlog).unwrap()
}

fn events(found: &Found) -> usize {
    found.text.matches("event: ").count()
}

#[test]
fn a_live_reader_gets_exactly_the_backlog_and_is_cut_off_one_byte_beyond() {
    let keys: Vec<_> = (0..9).map(|at| format!("key{at}")).collect();
    let keys: Vec<_> = keys.iter().map(|key| (key.as_str(), None)).collect();
    let store = store(&keys);
    let all = look(&store, START, true, usize::MAX, 10_000);
    assert_eq!((events(&all), all.state), (9, State::CaughtUp));

    let exact = look(&store, START, true, all.text.len(), 10_000);
    assert_eq!((events(&exact), exact.state), (9, State::CaughtUp));

    let cut = look(&store, START, true, all.text.len() - 1, 10_000);
    assert_eq!((events(&cut), cut.state), (8, State::TooMuch));
    assert!(cut.text.contains("bytes were waiting for this reader"), "{}", cut.text);
    let rest = look(&store, cut.at, true, usize::MAX, 10_000);
    assert_eq!((events(&rest), rest.state), (1, State::CaughtUp));
}

#[test]
fn a_reader_of_history_is_never_cut_off_and_misses_nothing() {
    let keys: Vec<_> = (0..9).map(|at| format!("key{at}")).collect();
    let keys: Vec<_> = keys.iter().map(|key| (key.as_str(), None)).collect();
    let store = store(&keys);
    let (mut at, mut seen) = (START, 0);
    loop {
        let found = look(&store, at, false, 1, 10_000);
        seen += events(&found);
        at = found.at;
        if found.state == State::CaughtUp {
            break;
        }
        assert_eq!((events(&found), found.state), (1, State::More));
    }
    assert_eq!(seen, 9);
}

#[test]
fn rows_that_were_not_looked_at_yet_are_no_backlog() {
    let store = store(&[("a", None), ("b", None), ("c", None)]);
    let found = look(&store, START, true, usize::MAX, 2);
    assert_eq!((events(&found), found.state), (2, State::More));
    let found = look(&store, found.at, true, usize::MAX, 2);
    assert_eq!(events(&found), 1);
}

#[test]
fn expiries_of_one_instant_are_told_together_and_the_next_one_is_announced() {
    let keys = [("a", Some(100)), ("b", Some(100)), ("c", Some(900))];
    let store = store(&keys);
    let written = look(&store, START, true, usize::MAX, 10_000);
    assert_eq!(events(&written), 5, "three writes and two expiries:\n{}", written.text);
    assert_eq!(written.expiry, Some(UnixMillis(NOW + 900)));

    // Only the expiries: their positions lie behind the log.
    let behind = Position { sequence: 3, ..START };
    let (mut at, mut seen) = (behind, 0);
    loop {
        let found = look(&store, at, false, 1, 10_000);
        seen += events(&found);
        at = found.at;
        if found.state == State::CaughtUp {
            break;
        }
    }
    assert_eq!(seen, 2);
}

#[test]
fn streams_rest_longer_the_more_of_them_there_are() {
    assert_eq!(pace(1), Duration::from_millis(1));
    assert_eq!(pace(10), Duration::from_millis(1));
    assert_eq!(pace(11), Duration::from_micros(1_100));
    assert_eq!(pace(1_000), Duration::from_millis(100));
}
