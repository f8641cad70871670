use std::path::Path;

use kvs_core::{Command, ContentType, Expiry, Prefix, Value, VersionId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::local;
use crate::store::{Flush, MemoryStore};
use crate::writer::{Applier, Retention, Write};

struct Fixture {
    store: MemoryStore,
    applier: Applier,
    caller: Caller,
    metadata: MetaKeys,
    now: u64,
    scan_keys: usize,
}

impl Fixture {
    fn new() -> Self {
        let store = MemoryStore::default();
        let state = local::open(&store, Path::new("memory"), UnixMillis(1)).unwrap();
        let applier = Applier::new(&state, Retention { count: 3, max_age: None });
        let (caller, metadata) = (Caller::anybody(), MetaKeys::default());
        Self { store, applier, caller, metadata, now: 1_000, scan_keys: 10_000 }
    }

    fn apply(&mut self, record: RecordId, command: Command) {
        let write = Write { record, command };
        let now = UnixMillis(self.now);
        let done = self.applier.apply(&self.store, [write], &[], now, Flush::Later).unwrap();
        self.metadata.note(&done.metadata);
    }

    fn put(&mut self, key: &str, expiry: Expiry) {
        let body = Body::Value(Value::plain(ContentType::JSON, "1".into()));
        let command = Command::Put {
            body,
            expiry,
            condition: kvs_core::Condition::Always,
            uuid: VersionId::new(Uuid::new_v4()),
            author: None,
        };
        self.apply(RecordId::value(Key::client(key).unwrap()), command);
    }

    fn delete(&mut self, key: &str) {
        let command = Command::delete(VersionId::new(Uuid::new_v4()));
        self.apply(RecordId::value(Key::client(key).unwrap()), command);
    }

    fn view(&self) -> View<'_> {
        View {
            read: &self.store,
            caller: &self.caller,
            metadata: &self.metadata,
            now: UnixMillis(self.now),
            scan_keys: self.scan_keys,
        }
    }

    /// All children, page by page; each page's cursor goes through its text.
    fn children(&self, prefix: &Prefix, limit: usize) -> Vec<(String, bool, bool)> {
        let mut after = None;
        let mut all = Vec::new();
        loop {
            let page = self.view().children(prefix, after.as_ref(), limit).unwrap();
            assert!(page.items.len() <= limit);
            all.extend(
                page.items
                    .iter()
                    .map(|child| (child.key.to_string(), child.value.is_some(), child.children)),
            );
            match page.next {
                Some(next) => after = Some(ListPosition::from_text(&next.to_text()).unwrap()),
                None => return all,
            }
        }
    }

    fn tree(&self, prefix: &Prefix, limit: usize, depth: usize) -> Vec<String> {
        let bounds = TreeBounds { limit, depth, bytes: usize::MAX };
        let mut after = None;
        let mut all = Vec::new();
        loop {
            let page = self.view().tree(prefix, after.as_ref(), bounds).unwrap();
            all.extend(page.items.iter().map(|entry| entry.key.to_string()));
            match page.next {
                Some(next) => after = Some(ListPosition::from_text(&next.to_text()).unwrap()),
                None => return all,
            }
        }
    }

    fn changes(
        &self,
        prefix: &Prefix,
        mut at: Position,
        limit: usize,
    ) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        loop {
            let (page, more) = self.view().changes_after(prefix, at, limit).unwrap();
            all.extend(
                page.items.iter().map(|change| (change.operation.name(), change.key.to_string())),
            );
            at = Position::from_text(&page.next.unwrap().to_text()).unwrap();
            if !more {
                return all;
            }
        }
    }

    fn between(
        &self,
        prefix: &Prefix,
        range: TimeRange,
        limit: usize,
    ) -> Vec<(&'static str, String)> {
        let mut after = None;
        let mut all = Vec::new();
        loop {
            let page = self.view().changes_between(prefix, range, after.as_ref(), limit).unwrap();
            all.extend(
                page.items.iter().map(|change| (change.operation.name(), change.key.to_string())),
            );
            match page.next {
                Some(next) => after = Some(TimePosition::from_text(&next.to_text()).unwrap()),
                None => return all,
            }
        }
    }
}

fn under(key: &str) -> Prefix {
    if key.is_empty() { Prefix::Root } else { Prefix::Under(Key::client(key).unwrap()) }
}

fn first() -> Position {
    Position { incarnation: 1, sequence: 0, expired: kvs_core::Stamp::MIN }
}

const MINUTE: std::time::Duration = std::time::Duration::from_mins(1);

#[test]
fn children_are_the_next_segments_each_once() {
    let mut fixture = Fixture::new();
    for key in ["home/a", "home/a/x", "home/a/y/z", "home/a-b", "home/c/d", "homer"] {
        fixture.put(key, Expiry::Never);
    }
    let expected = [("home/a", true, true), ("home/a-b", true, false), ("home/c", false, true)];
    let expected = expected.map(|(key, value, below)| (key.to_owned(), value, below));
    assert_eq!(fixture.children(&under("home"), 100), expected);
    let root: Vec<_> =
        fixture.children(&Prefix::Root, 1).into_iter().map(|child| child.0).collect();
    assert_eq!(root, ["home", "homer"]);
}

#[test]
fn what_is_dead_is_not_listed() {
    let mut fixture = Fixture::new();
    fixture.put("a/b", Expiry::Never);
    fixture.put("a/c", Expiry::After(MINUTE));
    fixture.delete("a/b");
    assert_eq!(fixture.tree(&Prefix::Root, 9, 9), ["a/c"]);
    fixture.now += 60_000;
    assert_eq!(fixture.tree(&Prefix::Root, 9, 9), Vec::<String>::new());
    assert_eq!(fixture.children(&Prefix::Root, 9), []);
}

#[test]
fn the_systems_records_are_not_listed() {
    let mut fixture = Fixture::new();
    let key = Key::system("_system/users/x").unwrap();
    let body = Body::Value(Value::plain(ContentType::JSON, "1".into()));
    let uuid = VersionId::new(Uuid::new_v4());
    fixture.apply(RecordId::value(key), Command::put(body, uuid));
    fixture.put("a", Expiry::Never);
    assert_eq!(fixture.tree(&Prefix::Root, 9, 9), ["a"]);
    assert_eq!(fixture.children(&Prefix::Root, 9).len(), 1);
    assert_eq!(fixture.changes(&Prefix::Root, first(), 9), [("put", "a".to_owned())]);
}

#[test]
fn a_bounded_scan_goes_on_where_it_stopped_even_among_the_dead() {
    let mut fixture = Fixture::new();
    fixture.put("a", Expiry::Never);
    for number in 0..20 {
        let key = format!("a/{number:02}");
        fixture.put(&key, Expiry::Never);
        fixture.delete(&key);
    }
    fixture.put("a/99", Expiry::Never);
    fixture.put("b", Expiry::Never);
    fixture.scan_keys = 3;
    let expected = [("a".to_owned(), true, true), ("b".to_owned(), true, false)];
    assert_eq!(fixture.children(&Prefix::Root, 10), expected);
    assert_eq!(fixture.tree(&Prefix::Root, 10, 9), ["a", "a/99", "b"]);
    assert_eq!(fixture.changes(&under("b"), first(), 10), [("put", "b".to_owned())]);
}

#[test]
fn a_tree_is_cut_at_its_depth() {
    let mut fixture = Fixture::new();
    for key in ["a", "a/b", "a/b/c", "a/b/c/d", "a/e"] {
        fixture.put(key, Expiry::Never);
    }
    assert_eq!(fixture.tree(&Prefix::Root, 9, 2), ["a", "a/b", "a/e"]);
    assert_eq!(fixture.tree(&under("a"), 1, 1), ["a/b", "a/e"]);
    assert_eq!(fixture.tree(&under("a"), 2, 9), ["a/b", "a/b/c", "a/b/c/d", "a/e"]);
}

#[test]
fn changes_come_in_commit_order_then_what_expired_since() {
    let mut fixture = Fixture::new();
    fixture.put("a", Expiry::After(MINUTE));
    fixture.put("b", Expiry::Never);
    fixture.put("c", Expiry::Never);
    fixture.delete("b");
    let all = |fixture: &Fixture, limit| fixture.changes(&Prefix::Root, first(), limit);
    let owned = |changes: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        changes.iter().map(|(operation, key)| (*operation, (*key).to_owned())).collect()
    };
    assert_eq!(all(&fixture, 9), owned(&[("put", "a"), ("put", "c"), ("delete", "b")]));
    fixture.now += 60_000;
    let after = owned(&[("put", "a"), ("put", "c"), ("delete", "b"), ("expire", "a")]);
    assert_eq!(all(&fixture, 9), after);
    assert_eq!(all(&fixture, 1), after);
}

#[test]
fn an_expiry_is_told_once_to_a_reader_who_goes_on() {
    let mut fixture = Fixture::new();
    fixture.put("a", Expiry::After(MINUTE));
    let (page, _) = fixture.view().changes_after(&Prefix::Root, first(), 9).unwrap();
    let seen = page.next.unwrap();
    fixture.now += 60_000;
    assert_eq!(fixture.changes(&Prefix::Root, seen, 9), [("expire", "a".to_owned())]);
    let (page, _) = fixture.view().changes_after(&Prefix::Root, seen, 9).unwrap();
    assert_eq!(fixture.changes(&Prefix::Root, page.next.unwrap(), 9), []);
}

#[test]
fn changes_by_time_are_those_of_the_span_with_expiries_in_their_place() {
    let mut fixture = Fixture::new();
    fixture.put("a", Expiry::After(MINUTE));
    fixture.now = 30_000;
    fixture.put("b", Expiry::Never);
    fixture.now = 90_000;
    fixture.put("c", Expiry::Never);
    let range = |since, until| TimeRange { since: UnixMillis(since), until: UnixMillis(until) };
    for limit in [1, 9] {
        let of = |since, until| fixture.between(&Prefix::Root, range(since, until), limit);
        let keys = |changes: Vec<(&'static str, String)>| -> Vec<String> {
            changes.into_iter().map(|(operation, key)| format!("{operation} {key}")).collect()
        };
        assert_eq!(keys(of(0, u64::MAX)), ["put a", "put b", "expire a", "put c"]);
        assert_eq!(keys(of(1_000, 30_000)), ["put a"]);
        assert_eq!(keys(of(1_001, 30_001)), ["put b"]);
        assert_eq!(keys(of(61_000, 61_001)), ["expire a"]);
    }
}

#[test]
fn history_begins_with_the_newest() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.put("a", Expiry::Never);
        fixture.now += 10;
    }
    let key = Key::client("a").unwrap();
    let history = fixture.view().history(&key, UnixMillis(0)).unwrap();
    let stamps: Vec<_> = history.iter().map(|revision| revision.version.stamp.millis().0).collect();
    assert_eq!(stamps, [1_020, 1_010, 1_000]);
    assert_eq!(history[0].superseded, None);
    let newer = fixture.view().history(&key, UnixMillis(1_010)).unwrap();
    assert_eq!(newer.len(), 2);
    let uuid = history[2].version.uuid;
    let found = fixture.view().revision(&key, uuid, UnixMillis(0)).unwrap().unwrap();
    assert_eq!(found.version, history[2].version);
    assert!(fixture.view().revision(&key, uuid, UnixMillis(1_001)).unwrap().is_none());
}

#[test]
fn the_nearest_metadata_governs() {
    let mut fixture = Fixture::new();
    let mut set = |key: &str, ttl| {
        let meta = Meta { ttl: Some(std::time::Duration::from_secs(ttl)), ..Meta::default() };
        let uuid = VersionId::new(Uuid::new_v4());
        let record = RecordId::meta(Key::client(key).unwrap());
        fixture.apply(record, Command::put(Body::Meta(meta), uuid));
    };
    set("a", 1);
    set("a/b/c", 2);
    let governs = |key: &str| {
        let key = Key::client(key).unwrap();
        fixture.view().governing_metadata(&key).unwrap().map(|(key, _)| key.to_string())
    };
    assert_eq!(governs("a/b"), Some("a".to_owned()));
    assert_eq!(governs("a/b/c/d"), Some("a/b/c".to_owned()));
    assert_eq!(governs("b"), None);
    assert_eq!(fixture.changes(&under("a"), first(), 9).len(), 2);
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    let position = first().to_text();
    assert_eq!(ListPosition::from_text(&position), Err(BadCursor));
    for text in ["", "!", "AAAA", &position[1..]] {
        assert_eq!(Position::from_text(text), Err(BadCursor), "{text}");
    }
}

fn keys() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[ab-]{1,2}(/[ab-]{1,2}){0,3}", 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lists_are_what_a_sorted_set_gives_whatever_the_pages(
        keys in keys(),
        prefix in "([ab]{1,2})?",
        limit in 1usize..5,
        depth in 1usize..4,
        scan_keys in 1usize..6,
    ) {
        let mut fixture = Fixture::new();
        fixture.scan_keys = scan_keys;
        for key in &keys {
            fixture.put(key, Expiry::Never);
        }
        let mut sorted = keys.clone();
        sorted.sort_by(|a, b| a.split('/').cmp(b.split('/')));
        sorted.dedup();
        let prefix = under(&prefix);
        let below = |key: &&String| prefix.covers(&Key::client(key).unwrap());
        let below: Vec<_> = sorted.iter().filter(below).collect();

        let deep = |key: &str| key.split('/').count() - prefix.depth();
        let tree: Vec<_> = below.iter().filter(|key| deep(key) <= depth).map(|key| (*key).clone()).collect();
        prop_assert_eq!(fixture.tree(&prefix, limit, depth), tree);

        let mut children: Vec<(String, bool, bool)> = Vec::new();
        for key in below {
            let child: Vec<_> = key.split('/').take(prefix.depth() + 1).collect();
            let child = child.join("/");
            if children.last().is_none_or(|(last, ..)| *last != child) {
                children.push((child.clone(), false, false));
            }
            let last = children.last_mut().unwrap();
            if child == *key { last.1 = true } else { last.2 = true }
        }
        prop_assert_eq!(fixture.children(&prefix, limit), children);
    }
}
