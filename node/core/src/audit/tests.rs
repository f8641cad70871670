mod trees;

use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

use super::tree::leaf_hash;
use super::*;
use crate::id::{NodeId, TokenId, UserId, VersionId};
use crate::key::{Key, RecordId};
use crate::scope::Right;
use crate::scope::tests::any_right;
use crate::stamp::UnixMillis;

fn any_event() -> impl Strategy<Value = Event> {
    let version = any::<u128>().prop_map(|bits| VersionId::new(Uuid::from_u128(bits)));
    prop_oneof![
        version.clone().prop_map(Event::Write),
        version.clone().prop_map(Event::Delete),
        version.clone().prop_map(Event::Metadata),
        version.prop_map(Event::AccountApplied),
        any_right().prop_map(Event::Denial),
        any_right().prop_map(Event::Admin),
        any::<u128>().prop_map(|bits| Event::TokenUse(TokenId::new(Uuid::from_u128(bits)))),
        any::<u32>().prop_map(Event::LoginFailures),
        Just(Event::Started),
        any::<u128>().prop_map(|bits| Event::PeerRewrote(NodeId::new(Uuid::from_u128(bits)))),
    ]
}

fn any_subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::Anonymous),
        Just(Subject::Socket),
        Just(Subject::Node),
        any::<u128>().prop_map(|bits| Subject::User(UserId::new(Uuid::from_u128(bits)))),
        any::<u128>().prop_map(|bits| Subject::Peer(NodeId::new(Uuid::from_u128(bits)))),
        any::<[u8; 16]>().prop_map(Subject::Address),
    ]
}

prop_compose! {
    fn any_entry()(
        sequence in any::<u64>(),
        time in any::<u64>(),
        previous in any::<Hash>(),
        event in any_event(),
        subject in any_subject(),
        key in prop::option::of(any::<[u8; 32]>()),
        outcome in prop::sample::select(vec![Outcome::Done, Outcome::Refused, Outcome::Failed]),
    ) -> Entry {
        Entry { sequence, time: UnixMillis(time), previous, event, subject, key: key.map(KeyHash), outcome }
    }
}

prop_compose! {
    /// The rows of a log as a node writes them.
    fn any_log()(mut entries in prop::collection::vec(any_entry(), 1..24)) -> Vec<Vec<u8>> {
        chain(&mut entries)
    }
}

/// Numbers the entries, lets each follow the one before, and gives their rows.
fn chain(entries: &mut [Entry]) -> Vec<Vec<u8>> {
    let mut previous = [0; 32];
    let rows = entries.iter_mut().enumerate().map(|(at, entry)| {
        (entry.sequence, entry.previous) = (at as u64, previous);
        let bytes = entry.encode();
        previous = leaf_hash(&bytes);
        row(&bytes)
    });
    rows.collect()
}

fn head(rows: &[Vec<u8>]) -> Head {
    let mut frontier = Frontier::default();
    for row in rows {
        frontier.append(leaf_hash(&row[32..]));
    }
    let (cluster, node) = (Uuid::from_u128(1), NodeId::new(Uuid::from_u128(2)));
    Head { cluster, node, size: frontier.size(), root: frontier.root(), time: UnixMillis(5) }
}

/// What a walk along `rows`, each under its sequence, comes to.
fn walk(rows: &[(u64, Vec<u8>)], heads: &[Head]) -> Result<Summary, Tampered> {
    let mut verifier = Verifier::new(heads);
    for (sequence, row) in rows {
        verifier.push(*sequence, row)?;
    }
    verifier.finish()
}

fn numbered(rows: Vec<Vec<u8>>) -> Vec<(u64, Vec<u8>)> {
    (0..).zip(rows).collect()
}

/// An entry that is not `row`'s, but stands where it stood.
fn replacement(row: &[u8]) -> Vec<u8> {
    let mut entry = Entry::decode(&row[32..]).unwrap();
    entry.time = UnixMillis(entry.time.0 ^ 1);
    super::row(&entry.encode())
}

proptest! {
    #[test]
    fn an_entry_survives_its_bytes(entry in any_entry()) {
        prop_assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
    }

    #[test]
    fn any_bytes_are_an_entry_that_encodes_to_them_or_an_error(entry in any_entry(), at in any::<Index>(), byte in any::<u8>(), cut in any::<Index>()) {
        let mut bytes = entry.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_eq!(entry.encode(), bytes);
        }
    }

    #[test]
    fn an_honest_log_is_found_to_be_one(rows in any_log(), signed in any::<Index>()) {
        let (size, signed) = (rows.len(), signed.index(rows.len()) + 1);
        let heads = [head(&rows[..signed]), head(&[]), head(&rows[..signed.div_ceil(2)])];
        let root = head(&rows).root;
        let summary = Summary { size: size as u64, signed: signed as u64, root };
        prop_assert_eq!(walk(&numbered(rows), &heads), Ok(summary));
    }

    #[test]
    fn a_walk_goes_on_from_where_an_archive_ended(rows in any_log(), cut in any::<Index>()) {
        let cut = cut.index(rows.len());
        let (mut frontier, mut previous) = (Frontier::default(), [0; 32]);
        for row in &rows[..cut] {
            previous = leaf_hash(&row[32..]);
            frontier.append(previous);
        }
        let heads = [head(&rows), head(&rows[..cut])];
        let mut verifier = Verifier::resume(frontier, previous, &heads);
        for (sequence, row) in numbered(rows.clone()).into_iter().skip(cut) {
            verifier.push(sequence, &row).unwrap();
        }
        prop_assert_eq!(verifier.finish().unwrap().signed, rows.len() as u64);
    }

    #[test]
    fn a_flipped_bit_is_named(rows in any_log(), which in any::<Index>(), byte in any::<Index>(), bit in 0u32..8) {
        let (heads, mut rows) = ([head(&rows)], numbered(rows));
        let at = which.index(rows.len());
        let byte = byte.index(rows[at].1.len());
        rows[at].1[byte] ^= 1 << bit;
        prop_assert_eq!(walk(&rows, &heads), Err(Tampered::Altered(at as u64)));
    }

    #[test]
    fn a_cut_row_is_named(rows in any_log(), which in any::<Index>(), length in any::<Index>()) {
        let (heads, mut rows) = ([head(&rows)], numbered(rows));
        let at = which.index(rows.len());
        let length = length.index(rows[at].1.len());
        rows[at].1.truncate(length);
        prop_assert_eq!(walk(&rows, &heads), Err(Tampered::Altered(at as u64)));
    }

    #[test]
    fn a_dropped_entry_is_named(rows in any_log(), which in any::<Index>()) {
        let (heads, mut rows) = ([head(&rows)], numbered(rows));
        let at = which.index(rows.len());
        rows.remove(at);
        let (size, signed) = (at as u64, heads[0].size);
        let expected = if size + 1 == signed { Tampered::Truncated { size, signed } } else { Tampered::Missing(size) };
        prop_assert_eq!(walk(&rows, &heads), Err(expected));
    }

    #[test]
    fn a_truncated_log_is_named(rows in any_log(), length in any::<Index>()) {
        let (heads, length) = ([head(&rows)], length.index(rows.len()));
        let expected = Tampered::Truncated { size: length as u64, signed: heads[0].size };
        prop_assert_eq!(walk(&numbered(rows)[..length], &heads), Err(expected));
    }

    #[test]
    fn entries_in_each_others_place_are_named(rows in any_log(), a in any::<Index>(), b in any::<Index>()) {
        let (heads, mut rows) = ([head(&rows)], rows);
        let (a, b) = (a.index(rows.len()), b.index(rows.len()));
        rows.swap(a, b);
        let (sequence, found) = (a.min(b) as u64, a.max(b) as u64);
        let expected = if a == b { None } else { Some(Tampered::Misplaced { sequence, found }) };
        prop_assert_eq!(walk(&numbered(rows), &heads).err(), expected);
    }

    /// One that is well formed and follows what was before it: what comes next does not follow it.
    /// The last is found by the head.
    #[test]
    fn a_replaced_entry_is_named(rows in any_log(), which in any::<Index>()) {
        let (heads, mut rows) = ([head(&rows)], rows);
        let at = which.index(rows.len());
        rows[at] = replacement(&rows[at]);
        let expected = if at + 1 == rows.len() {
            Tampered::Unsigned { from: 0, size: heads[0].size }
        } else {
            Tampered::Unchained(at as u64 + 1)
        };
        prop_assert!(expected.first() <= at as u64);
        prop_assert_eq!(walk(&numbered(rows), &heads), Err(expected));
    }

    /// Who rewrites everything from some entry on leaves no trace but in the heads that others have.
    #[test]
    fn a_rewritten_end_is_unmasked_by_a_head(rows in any_log(), from in any::<Index>(), seen in any::<Index>()) {
        let (from, seen) = (from.index(rows.len()), seen.index(rows.len()) + 1);
        let mut entries: Vec<_> = rows.iter().map(|row| Entry::decode(&row[32..]).unwrap()).collect();
        entries[from].time.0 ^= 1;
        let rewritten = chain(&mut entries);
        let heads = [head(&rows[..from]), head(&rows[..seen])];
        let result = walk(&numbered(rewritten.clone()), &heads);
        let expected = Tampered::Unsigned { from: from as u64, size: seen as u64 };
        prop_assert_eq!(result.err(), (seen > from).then_some(expected));
        let forked = if seen > from { Fork::Rewritten } else { Fork::No };
        prop_assert_eq!(fork(&heads[1], &head(&rewritten[..seen]), &[]), Ok(forked));
    }
}

#[test]
fn the_bytes_of_an_entry_are_as_they_always_were() {
    let entry = Entry {
        sequence: 1,
        time: UnixMillis(2),
        previous: [3; 32],
        event: Event::Denial(Right::UpdateResources),
        subject: Subject::User(UserId::new(Uuid::from_u128(4))),
        key: Some(KeyHash([5; 32])),
        outcome: Outcome::Refused,
    };
    let expected = [
        "01",
        "0000000000000001",
        "0000000000000002",
        &"03".repeat(32),
        "0429",
        "0200000000000000000000000000000004",
        "01",
        &"05".repeat(32),
        "02",
    ];
    assert_eq!(trees::hex(&entry.encode()), expected.concat());
}

#[test]
fn what_is_signed_names_cluster_node_size_time_and_root() {
    let signed = trees::hex(&head(&[]).to_sign());
    let expected = [
        &trees::hex(b"kvs audit head 1\n"),
        "00000000000000000000000000000001",
        "00000000000000000000000000000002",
        "0000000000000000",
        "0000000000000005",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ];
    assert_eq!(signed, expected.concat());
}

#[test]
fn bytes_of_a_later_release_or_of_nothing_are_refused_by_name() {
    let entry = Entry {
        sequence: 0,
        time: UnixMillis(0),
        previous: [0; 32],
        event: Event::LoginFailures(1),
        subject: Subject::Node,
        key: None,
        outcome: Outcome::Done,
    };
    let bytes = entry.encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        Entry::decode(&bytes).unwrap_err()
    };
    assert_eq!(with(0, 2), EntryError::Format(2));
    assert_eq!(with(49, 11), EntryError::Tag("event", 11));
    assert_eq!(with(54, 7), EntryError::Tag("subject", 7));
    assert_eq!(with(55, 2), EntryError::Tag("key", 2));
    assert_eq!(with(56, 0), EntryError::Tag("outcome", 0));
    assert_eq!(Entry::decode(&bytes[..56]), Err(EntryError::Short));
    assert_eq!(Entry::decode(&[&bytes[..], &[0]].concat()), Err(EntryError::Long(1)));
}

#[test]
fn the_hash_of_a_key_says_nothing_without_the_clusters_secret() {
    let record = RecordId::value(Key::client("home/room").unwrap());
    let of = |secret, record: &RecordId| KeyHasher::new(&[secret; 32]).hash(record);
    let hash = of(1, &record);
    assert_eq!(hash, of(1, &record));
    assert_ne!(hash, of(2, &record));
    assert_ne!(hash, of(1, &RecordId::meta(record.key.clone())));
    assert_ne!(hash.0, *blake3::keyed_hash(&[1; 32], &record.encode()).as_bytes());
}
