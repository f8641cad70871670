use std::collections::BTreeMap;
use std::path::Path;

use kvs_core::{Body, Condition, ContentType, Expiry, Key, Meta, Mode, Value, VersionId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::local;
use crate::store::MemoryStore;

/// A store with an applier, and a wall clock that the test moves.
pub(super) struct Fixture {
    pub(super) store: MemoryStore,
    pub(super) applier: Applier,
    pub(super) key: DigestKey,
    now: UnixMillis,
    next_uuid: u128,
}

impl Fixture {
    pub(super) fn new(revisions: usize) -> Self {
        let store = MemoryStore::default();
        let state = local::open(&store, Path::new("memory"), UnixMillis(1)).unwrap();
        let key = state.identity.digest_key.clone();
        let applier = Applier::new(&state, Retention { count: revisions, max_age: None });
        Self { store, applier, key, now: UnixMillis(1_000), next_uuid: 1 }
    }

    fn uuid(&mut self) -> VersionId {
        self.next_uuid += 1;
        VersionId::new(Uuid::from_u128(self.next_uuid))
    }

    fn apply(&mut self, writes: Vec<Write>) -> Outcome {
        self.applier.apply(&self.store, writes, &[], self.now, Flush::Later).unwrap()
    }

    pub(super) fn put(&mut self, key: &str, text: &str) -> WriteResult {
        let write = write(key, put(text, self.uuid(), Expiry::Never));
        self.apply(vec![write]).results[0]
    }

    fn delete(&mut self, key: &str) -> WriteResult {
        let write = write(key, Command::delete(self.uuid()));
        self.apply(vec![write]).results[0]
    }

    fn row(&self, key: &str) -> (Local, Version) {
        let row = record(key).encode();
        let value = self.store.get(Column::Data, &row).unwrap().unwrap();
        codec::decode_row(&value.into()).unwrap()
    }

    fn count(&self, column: Column) -> usize {
        let mut cursor = self.store.cursor(column, &[], &[0xff; 9]);
        let mut count = 0;
        while cursor.next().unwrap().is_some() {
            count += 1;
        }
        count
    }

    /// Every index says what `data` says, and nothing else.
    fn check(&self) {
        let depth = 4;
        let root = crate::digest::derive(&self.store, &self.key, depth).unwrap();
        let records = usize::try_from(root.count).unwrap();
        assert_eq!(self.count(Column::Data), records);
        assert_eq!(self.count(Column::Log), records);
        assert_eq!(self.count(Column::ByTime), records);
        let (mut revisions, mut deaths) = (0, 0);
        let mut cursor = self.store.cursor(Column::Data, &[], &[0xff]);
        while let Some((row, value)) = cursor.next().unwrap() {
            let (local, head) = codec::decode_row_head(value).unwrap();
            let at = self.store.get(Column::Log, &rows::log(local.sequence)).unwrap();
            assert_eq!(at.as_deref(), Some(row));
            let time = rows::timed(head.stamp, row);
            assert!(self.store.get(Column::ByTime, &time).unwrap().is_some());
            if let Some(death) = head.dies() {
                deaths += 1;
                let death = rows::timed(death, row);
                assert!(self.store.get(Column::Dies, &death).unwrap().is_some());
            }
            let key = RecordId::decode(row).unwrap().key;
            for revision in &local.revisions {
                revisions += 1;
                let row = rows::revision(&key, revision.stamp, revision.uuid);
                let value = self.store.get(Column::Revisions, &row).unwrap().unwrap();
                let (_, version) = rows::read_revision(&row, value).unwrap();
                assert_eq!(version.uuid, revision.uuid);
            }
        }
        assert_eq!(self.count(Column::Revisions), revisions);
        assert_eq!(self.count(Column::Dies), deaths);
    }
}

fn record(key: &str) -> RecordId {
    RecordId::value(Key::client(key).unwrap())
}

fn write(key: &str, command: Command) -> Write {
    Write { record: record(key), command }
}

fn body(text: &str) -> Body {
    Body::Value(Value::plain(ContentType::JSON, text.to_owned().into()))
}

fn put(text: &str, uuid: VersionId, expiry: Expiry) -> Command {
    Command::Put { body: body(text), expiry, condition: Condition::Always, uuid, author: None }
}

fn text(version: &Version) -> String {
    match &version.body {
        Body::Value(value) => String::from_utf8(value.bytes().unwrap().to_vec()).unwrap(),
        other => panic!("not a value: {other:?}"),
    }
}

#[test]
fn writes_of_one_group_see_each_other() {
    let mut fixture = Fixture::new(3);
    let [a, b, c, d] = [(); 4].map(|()| fixture.uuid());
    let absent = |uuid| Command::Put {
        body: body("3"),
        expiry: Expiry::Never,
        condition: Condition::Absent,
        uuid,
        author: None,
    };
    let outcome = fixture.apply(vec![
        write("k", put("1", a, Expiry::Never)),
        write("k", put("2", b, Expiry::Never)),
        write("k", absent(c)),
        write("k", Command::delete(d)),
        write("k", absent(c)),
    ]);
    let created = |result: &WriteResult| match result {
        Ok(Applied::Committed(receipt)) => Some(receipt.created),
        _ => None,
    };
    let created: Vec<_> = outcome.results.iter().map(created).collect();
    assert_eq!(created, [Some(true), Some(false), None, Some(false), Some(true)]);
    assert_eq!(text(&fixture.row("k").1), "3");
    fixture.check();
}

#[test]
fn the_bound_of_revisions_holds_and_the_oldest_goes_first() {
    let mut fixture = Fixture::new(3);
    for number in 0..6 {
        fixture.put("k", &number.to_string()).unwrap();
    }
    let (local, version) = fixture.row("k");
    assert_eq!((local.revisions.len(), text(&version)), (3, "5".to_owned()));
    fixture.check();
    let oldest = local.revisions[2];
    let row = rows::revision(&record("k").key, oldest.stamp, oldest.uuid);
    let value = fixture.store.get(Column::Revisions, &row).unwrap().unwrap();
    let (reason, version) = rows::read_revision(&row, value).unwrap();
    assert_eq!((reason, text(&version)), (Superseded::Older, "2".to_owned()));
}

#[test]
fn revisions_older_than_their_bound_go_with_the_next_write() {
    let mut fixture = Fixture::new(3);
    fixture.applier.retention.max_age = Some(Duration::from_millis(100));
    fixture.put("k", "1").unwrap();
    fixture.now.0 += 60;
    fixture.put("k", "2").unwrap();
    assert_eq!(fixture.row("k").0.revisions.len(), 1);
    fixture.now.0 += 41;
    fixture.put("k", "3").unwrap();
    assert_eq!(fixture.row("k").0.revisions.len(), 1);
    fixture.now.0 += 101;
    fixture.put("k", "4").unwrap();
    assert_eq!(fixture.row("k").0.revisions, []);
    fixture.check();
}

#[test]
fn without_history_no_revision_is_kept() {
    let mut fixture = Fixture::new(0);
    fixture.put("k", "1").unwrap();
    fixture.put("k", "2").unwrap();
    assert_eq!(fixture.count(Column::Revisions), 0);
    fixture.check();
}

#[test]
fn a_loser_on_arrival_is_kept_with_its_reason() {
    let mut fixture = Fixture::new(3);
    fixture.put("k", "1").unwrap();
    let (_, ours) = fixture.row("k");
    // The same stamp from a node that joined later.
    let mut theirs = ours.clone();
    theirs.origin.joined = UnixMillis(ours.origin.joined.0 + 1);
    theirs.uuid = fixture.uuid();
    let lost = fixture.apply(vec![write("k", Command::Merge(theirs.clone()))]);
    assert_eq!(lost.results, [Ok(Applied::Lost(Superseded::YoungerOrigin))]);
    let again = fixture.apply(vec![write("k", Command::Merge(theirs.clone()))]);
    assert_eq!(again.results, [Ok(Applied::Lost(Superseded::YoungerOrigin))]);
    let (local, version) = fixture.row("k");
    assert_eq!(version, ours);
    assert_eq!(local.revisions, [RevisionId { stamp: theirs.stamp, uuid: theirs.uuid }]);
    fixture.check();
}

#[test]
fn a_mode_that_is_set_here_and_a_value_that_is_written_there_both_hold_in_every_order() {
    let of = |mode: Mode| Body::Meta(Meta { mode: Some(mode), ..Meta::default() });
    let (value, meta) = (record("k"), RecordId::meta(Key::client("k").unwrap()));
    let elsewhere = |record: &RecordId, body: Body| {
        let mut fixture = Fixture::new(3);
        let command = Command::put(body, fixture.uuid());
        fixture.apply(vec![Write { record: record.clone(), command }]);
        let row = fixture.store.get(Column::Data, &record.encode()).unwrap().unwrap();
        codec::decode_row(&row.into()).unwrap().1
    };
    let modes = [Mode::from_bits(0xF00).unwrap(), Mode::from_bits(0xFFF).unwrap()];
    let arrived = [
        (value.clone(), elsewhere(&value, body("1"))),
        (meta.clone(), elsewhere(&meta, of(modes[0]))),
    ];
    for order in [[0, 1], [1, 0]] {
        let mut here = Fixture::new(3);
        for at in order {
            let (record, version) = arrived[at].clone();
            here.apply(vec![Write { record, command: Command::Merge(version) }]);
        }
        // And over a value and a mode that are there already.
        here.now = UnixMillis(2_000);
        let set = Command::put(of(modes[1]), here.uuid());
        here.apply(vec![Write { record: meta.clone(), command: set }]);
        here.check();
        assert_eq!(text(&here.row("k").1), "1");
        let row = here.store.get(Column::Data, &meta.encode()).unwrap().unwrap();
        assert_eq!(codec::decode_row(&row.into()).unwrap().1.body, of(modes[1]));
    }
}

#[test]
fn only_the_dead_before_the_horizon_are_collected() {
    let mut fixture = Fixture::new(3);
    fixture.put("live", "1").unwrap();
    fixture.put("gone", "1").unwrap();
    fixture.delete("gone").unwrap();
    let uuid = fixture.uuid();
    let expiring = put("1", uuid, Expiry::After(std::time::Duration::from_millis(50)));
    fixture.apply(vec![write("short", expiring)]);

    let horizon = |at| Stamp::at(UnixMillis(at));
    let collected = |fixture: &mut Fixture, at| {
        let step = fixture.applier.collect(&fixture.store, horizon(at), &[], 10).unwrap();
        step.outcome.removed.len()
    };
    assert_eq!(collected(&mut fixture, 1_000), 0);
    assert_eq!(collected(&mut fixture, 1_040), 1);
    assert_eq!(collected(&mut fixture, 1_051), 1);
    assert_eq!(collected(&mut fixture, 9_999), 0);
    assert_eq!(fixture.count(Column::Data), 1);
    assert_eq!(fixture.applier.horizon(), horizon(9_999));
    fixture.check();
}

#[test]
fn collecting_goes_on_where_it_stopped_and_steps_over_what_is_damaged_or_alive() {
    let mut fixture = Fixture::new(3);
    for key in ["a", "b", "c", "d"] {
        fixture.put(key, "1").unwrap();
        fixture.delete(key).unwrap();
    }
    fixture.put("live", "1").unwrap();
    let mut batch = Batch::default();
    batch.put(Column::Data, &record("a").encode(), b"damaged");
    let stray = rows::timed(Stamp::from_bits(1), &record("live").encode());
    batch.put(Column::Dies, &stray, &[]);
    fixture.store.write(&batch, Flush::Later).unwrap();

    let (mut from, mut removed, mut steps) = (Vec::new(), 0, 0);
    loop {
        let step = fixture.applier.collect(&fixture.store, Stamp::MAX, &from, 2).unwrap();
        (removed, steps) = (removed + step.outcome.removed.len(), steps + 1);
        match step.next {
            Some(next) => from = [next, vec![0]].concat(),
            None => break,
        }
    }
    assert_eq!((removed, steps), (3, 3));
    assert_eq!(text(&fixture.row("live").1), "1");
    assert_eq!(
        fixture.store.get(Column::Data, &record("a").encode()).unwrap().unwrap(),
        b"damaged"
    );
}

#[test]
fn after_everything_is_deleted_and_collected_no_row_is_left() {
    let mut fixture = Fixture::new(3);
    for key in ["a", "a/b", "c"] {
        fixture.put(key, "1").unwrap();
        fixture.put(key, "2").unwrap();
        fixture.delete(key).unwrap();
    }
    fixture.applier.collect(&fixture.store, Stamp::MAX, &[], 10).unwrap();
    for column in Column::ALL.into_iter().filter(|column| *column != Column::Local) {
        assert_eq!(fixture.count(column), 0, "{}", column.name());
    }
}

#[test]
fn stamps_go_on_after_a_start_even_if_the_wall_clock_went_back() {
    let mut fixture = Fixture::new(3);
    fixture.put("k", "1").unwrap();
    let before = fixture.row("k").1.stamp;
    let state = local::open(&fixture.store, Path::new("memory"), UnixMillis(1)).unwrap();
    fixture.applier = Applier::new(&state, Retention { count: 3, max_age: None });
    fixture.now = UnixMillis(10);
    fixture.put("other", "1").unwrap();
    assert!(fixture.row("other").1.stamp > before);
}

#[test]
fn a_node_that_dies_again_and_again_does_not_run_ahead_of_the_wall_clock() {
    let mut fixture = Fixture::new(3);
    let latest = Stamp::at(fixture.now.after(CLOCK_STEP)).next();
    for start in 0..100 {
        let state = local::open(&fixture.store, Path::new("memory"), UnixMillis(1)).unwrap();
        fixture.applier = Applier::new(&state, Retention { count: 3, max_age: None });
        fixture.put("k", "1").unwrap();
        fixture.applier.raise_clock(&fixture.store, Stamp::at(fixture.now), fixture.now).unwrap();
        let stamp = fixture.row("k").1.stamp;
        assert!(stamp.millis() <= latest.millis(), "{stamp:?} at start {start}");
    }
}

#[test]
fn a_wall_clock_that_is_ahead_is_not_where_a_node_goes_on_after_a_restart() {
    let mut fixture = Fixture::new(3);
    let trusted = Stamp::at(fixture.now);
    let ahead = fixture.now.after(std::time::Duration::from_hours(1));
    fixture.applier.raise_clock(&fixture.store, trusted, ahead).unwrap();
    let state = local::open(&fixture.store, Path::new("memory"), UnixMillis(1)).unwrap();
    assert!(state.clock_floor >= trusted, "{:?}", state.clock_floor);
    let latest = fixture.now.after(CLOCK_STEP);
    assert!(state.clock_floor.millis() <= latest, "{:?}", state.clock_floor);
}

#[derive(Clone, Debug)]
enum Step {
    Put(usize, u8, Option<u64>),
    Delete(usize),
    Wait(u64),
}

const KEYS: [&str; 4] = ["a", "a/b", "a-b", "b"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..KEYS.len(), any::<u8>(), prop::option::of(1u64..40)).prop_map(|(key, text, ttl)| Step::Put(key, text, ttl)),
        2 => (0..KEYS.len()).prop_map(Step::Delete),
        1 => (0u64..30).prop_map(Step::Wait),
    ]
}

/// Runs steps in groups of a few, beside a model: key → text and expiry.
fn run(fixture: &mut Fixture, steps: &[Step], group: usize) -> BTreeMap<usize, (String, u64)> {
    let mut model = BTreeMap::new();
    for steps in steps.chunks(group) {
        let mut writes = Vec::new();
        for step in steps {
            let now = fixture.now.0;
            match step {
                Step::Put(key, value, ttl) => {
                    let expiry = ttl.map_or(Expiry::Never, |ttl| {
                        Expiry::After(std::time::Duration::from_millis(ttl))
                    });
                    let value = value.to_string();
                    writes.push(write(KEYS[*key], put(&value, fixture.uuid(), expiry)));
                    model.insert(*key, (value, ttl.map_or(u64::MAX, |ttl| now + ttl)));
                }
                Step::Delete(key) => {
                    writes.push(write(KEYS[*key], Command::delete(fixture.uuid())));
                    model.remove(key);
                }
                Step::Wait(_) => {}
            }
        }
        fixture.apply(writes);
        for step in steps {
            if let Step::Wait(millis) = step {
                fixture.now.0 += millis;
            }
        }
        model.retain(|_, (_, expires)| *expires > fixture.now.0);
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_history_leaves_what_a_map_would_and_every_index_agrees(
        steps in prop::collection::vec(step(), 1..40),
        group in 1usize..6,
        revisions in 0usize..4,
    ) {
        let mut fixture = Fixture::new(revisions);
        let model = run(&mut fixture, &steps, group);
        fixture.check();
        for (index, key) in KEYS.into_iter().enumerate() {
            let value = fixture.store.get(Column::Data, &record(key).encode()).unwrap();
            let version = value.map(|value| codec::decode_row(&value.into()).unwrap().1);
            let live = version.filter(|version| version.head().absence(fixture.now).is_none());
            let expected = model.get(&index).map(|(text, _)| text.clone());
            prop_assert_eq!(live.as_ref().map(text), expected);
        }
    }

    #[test]
    fn two_stores_agree_whatever_order_versions_arrive_in(
        steps in prop::collection::vec(step(), 1..25),
        seed in any::<u64>(),
    ) {
        let mut ours = Fixture::new(3);
        let mut versions = Vec::new();
        for step in &steps {
            run(&mut ours, std::slice::from_ref(step), 1);
            for key in KEYS {
                if let Some(value) = ours.store.get(Column::Data, &record(key).encode()).unwrap() {
                    versions.push((key, codec::decode_row(&value.into()).unwrap().1));
                }
            }
        }
        versions.sort_by_key(|(_, version)| version.uuid.uuid().as_u128().wrapping_mul(u128::from(seed | 1)));
        let mut theirs = Fixture::new(3);
        for (key, version) in versions {
            theirs.apply(vec![write(key, Command::Merge(version))]);
        }
        theirs.check();
        let root = |fixture: &Fixture| crate::digest::derive(&fixture.store, &ours.key, 4);
        // One key for both, as the nodes of a cluster have.
        let (ours_root, theirs_root) = (root(&ours).unwrap(), rehash(&theirs, &ours.key));
        prop_assert_eq!(ours_root, theirs_root);
    }
}

/// The root that a store would have under another digest key.
fn rehash(fixture: &Fixture, key: &DigestKey) -> kvs_core::digest::Summary {
    let mut tree = kvs_core::digest::Tree::new(4);
    let mut cursor = fixture.store.cursor(Column::Data, &[], &[0xff]);
    while let Some((row, value)) = cursor.next().unwrap() {
        let (_, head) = codec::decode_row_head(value).unwrap();
        tree.add(Leaf { position: key.position(row), item: key.item(row, &Entry::from(&head)) });
    }
    tree.root()
}
