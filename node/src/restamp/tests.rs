use kvs_core::{Body, Command, ContentType, Origin, Value, VersionId};
use uuid::Uuid;

use super::*;
use crate::local::LocalState;
use crate::store::MemoryStore;
use crate::writer::{Applier, Retention, Write};

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const DRIFT: Duration = Duration::from_mins(1);
const AHEAD: UnixMillis = UnixMillis(NOW.0 + 3_600_000);

struct Bench {
    store: MemoryStore,
    applier: Applier,
    state: LocalState,
}

fn bench() -> Bench {
    let store = MemoryStore::default();
    let state = local::open(&store, Path::new("memory"), NOW).unwrap();
    let applier = Applier::new(&state, Retention { count: 8, max_age: None });
    Bench { store, applier, state }
}

fn record(key: &str) -> RecordId {
    RecordId::value(Key::client(key).unwrap())
}

fn value(text: &str) -> Body {
    Body::Value(Value::plain(ContentType::JSON, text.to_owned().into()))
}

impl Bench {
    fn put(&mut self, key: &str, text: &str, at: UnixMillis) {
        let command = Command::put(value(text), VersionId::new(Uuid::new_v4()));
        let write = Write { record: record(key), command };
        self.applier.apply(&self.store, [write], &[], at, Flush::Synced).unwrap();
    }

    fn restamp(&mut self) -> Restamped {
        local::close(&self.store, self.applier.last_sequence() + 1, self.applier.last_stamp())
            .unwrap();
        let done = restamp(&self.store, Path::new("memory"), NOW, DRIFT).unwrap();
        self.state = local::open(&self.store, Path::new("memory"), NOW).unwrap();
        self.applier = Applier::new(&self.state, Retention { count: 8, max_age: None });
        done
    }

    fn read(&self, key: &str) -> (Local, Version) {
        let row = record(key).encode();
        let value = self.store.get(Column::Data, &row).unwrap().unwrap();
        records::decode(&row, value).unwrap()
    }

    fn count(&self, column: Column) -> usize {
        let mut rows = self.store.cursor(column, &[], &[0xff; 40]);
        let mut count = 0;
        while rows.next().unwrap().is_some() {
            count += 1;
        }
        count
    }
}

#[test]
fn what_was_written_ahead_is_of_now_in_its_order_and_the_clock_too() {
    let mut bench = bench();
    bench.put("before", "0", NOW);
    for (key, text) in [("a", "1"), ("b", "2"), ("a", "3")] {
        bench.put(key, text, AHEAD);
    }
    let uuid = bench.read("a").1.uuid;
    assert_eq!(bench.restamp(), Restamped { own: 2, foreign: 0 });
    let (before, (local, a), (_, b)) = (bench.read("before").1, bench.read("a"), bench.read("b"));
    assert!(before.stamp < b.stamp && b.stamp < a.stamp, "{before:?} {a:?} {b:?}");
    assert_eq!((a.stamp.millis(), a.uuid, a.body.clone()), (NOW, uuid, value("3")));
    let [older] = local.revisions.as_slice() else { panic!("{local:?}") };
    assert!(older.stamp < a.stamp && older.stamp.millis() == NOW);
    let kept = rows::revision(&record("a").key, older.stamp, older.uuid);
    assert!(bench.store.get(Column::Revisions, &kept).unwrap().is_some());
    assert_eq!(bench.count(Column::Revisions), 1);
    assert_eq!((bench.count(Column::ByTime), bench.count(Column::Log)), (3, 3));

    bench.put("a", "4", NOW);
    assert_eq!(bench.read("a").1.stamp.millis(), NOW, "the next write is of now as well");
}

#[test]
fn the_digest_tree_of_what_was_moved_is_that_of_the_records() {
    let mut bench = bench();
    bench.put("a", "1", AHEAD);
    bench.restamp();
    let head = bench.read("a").1.head();
    let row = record("a").encode();
    let position = bench.state.identity.digest_key.position(&row);
    let entry = bench.store.get(Column::Hidx, &rows::hidx(position, &row)).unwrap().unwrap();
    assert_eq!(entry, Entry::from(&head).to_bytes());
    assert_eq!(bench.count(Column::Hidx), 1);
}

#[test]
fn exactly_the_drift_that_is_allowed_is_left_alone_and_one_more_is_not() {
    let mut bench = bench();
    let limit = NOW.after(DRIFT);
    bench.put("at", "1", limit);
    bench.put("over", "2", UnixMillis(limit.0 + 1));
    assert_eq!(bench.restamp(), Restamped { own: 1, foreign: 0 });
    let (at, over) = (bench.read("at").1.stamp, bench.read("over").1.stamp);
    assert_eq!(at.millis(), limit);
    assert!(over > at && over.millis() == limit, "the order stays");
}

#[test]
fn what_lives_for_a_time_lives_as_long() {
    let mut bench = bench();
    let expiry = kvs_core::decide::Expiry::After(Duration::from_secs(90));
    let uuid = VersionId::new(Uuid::new_v4());
    let condition = kvs_core::decide::Condition::Always;
    let command = Command::Put { body: value("1"), expiry, condition, uuid, author: None };
    let write = Write { record: record("a"), command };
    bench.applier.apply(&bench.store, [write], &[], AHEAD, Flush::Synced).unwrap();
    bench.restamp();
    assert_eq!(bench.read("a").1.expires_at, Some(NOW.after(Duration::from_secs(90))));
    assert_eq!(bench.count(Column::Dies), 1);
}

#[test]
fn what_others_wrote_is_left_alone() {
    let mut bench = bench();
    let origin = Origin { node: NodeId::from_bytes([9; 16]), joined: NOW };
    let uuid = VersionId::new(Uuid::new_v4());
    let version = Version {
        stamp: Stamp::at(AHEAD),
        origin,
        uuid,
        created_at: AHEAD,
        owner: None,
        expires_at: None,
        body: value("1"),
    };
    let write = Write { record: record("a"), command: Command::Merge(version) };
    bench.applier.apply(&bench.store, [write], &[], NOW, Flush::Synced).unwrap();
    assert_eq!(bench.restamp(), Restamped { own: 0, foreign: 1 });
    assert_eq!(bench.read("a").1.stamp, Stamp::at(AHEAD));
}
