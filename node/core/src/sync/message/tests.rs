use proptest::prelude::*;

use super::*;
use crate::digest::{Entry, FANOUT, Item, Summary};
use crate::id::VersionId;
use crate::stamp::Stamp;
use crate::sync::node::{Node, Span};
use crate::sync::page::{Missing, Names, Width};
use crate::sync::{Listed, MAX_COMPARED, MAX_LISTED, MAX_LISTS};

const SUMMARY: Summary =
    Summary { sum: [0x0102_0304_0506_0708, 0x1112_1314_1516_1718], count: 300 };

/// Of [`SUMMARY`].
const DIGEST: [u8; 8] = [56, 158, 52, 33, 207, 61, 82, 200];

fn listed(item: u8) -> Listed {
    let entry = Entry { stamp: Stamp::from_bits(1), uuid: VersionId::from_bytes([2; 16]) };
    let item = Item([u64::from_be_bytes([item; 8]); 2]);
    Listed { position: Position(0), record: Vec::new(), entry, item }
}

fn node(level: usize) -> Node {
    (0..level).fold(Node::ROOT, |node, _| node.children().next_back().unwrap())
}

fn explore(compare: usize, lists: usize, names: usize) -> Request {
    let children = [Digest::of(SUMMARY); FANOUT];
    let names = Names::of(Width::Full, &vec![listed(7); names]);
    let part = Span::Part { start: u64::MAX - 1, end: Some(u64::MAX) };
    let empty = List { span: part, names: Names::of(Width::Full, &[]) };
    let mut lists = vec![empty; lists];
    lists[0].names = names;
    Request::Explore(Explore {
        compare: vec![Compare { node: node(15), children }; compare],
        lists,
    })
}

fn explored(differing: usize, lists: usize, extra: usize) -> Response {
    let at = Extra::new(Position(1), Stamp::from_bits(2));
    let names = Names::of(Width::Short, &vec![listed(7); MAX_LISTED]);
    let (missing, _) = names.compare(Vec::new());
    let common = Digest::of(SUMMARY);
    let mut lists =
        vec![
            Comparison { cut: Some(u64::MAX), missing: Missing::default(), extra: vec![], common };
            lists
        ];
    lists[0].extra = vec![at; extra];
    lists[0].missing = missing;
    Response::Explored(Explored { differing: vec![u16::MAX; differing], lists })
}

#[test]
fn the_roots_bytes_are_what_they_were() {
    let mut bytes =
        vec![0, 5, 1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18];
    bytes.extend([0xac, 2]);
    let root = Root::new(5, SUMMARY);
    assert_eq!(root.summary(), SUMMARY);
    assert_eq!(Request::Root(root.clone()).encode(), bytes);
    assert_eq!(Response::Root(root).encode(), bytes);
    assert_eq!(Response::Rebuilding.encode(), [2]);
}

#[test]
fn an_explorations_bytes_are_what_they_were() {
    let compare = Compare { node: node(2), children: [Digest::of(Summary::default()); FANOUT] };
    let part = Span::Part { start: 3, end: Some(300) };
    let lists = vec![
        List { span: Span::Node(node(1)), names: Names::of(Width::Short, &[listed(7)]) },
        List { span: part, names: Names::of(Width::Full, &[listed(8)]) },
    ];
    let mut bytes = vec![1, 1, 2, 0xff, 1];
    bytes.extend([0; 8 * FANOUT]);
    bytes.extend([2, 0, 1, 15, 0, 1, 7, 7, 7]);
    bytes.extend([1, 3, 1, 0xac, 2, 1, 1]);
    bytes.extend([8; 16]);
    assert_eq!(Request::Explore(Explore { compare: vec![compare], lists }).encode(), bytes);
}

#[test]
fn an_answers_bytes_are_what_they_were() {
    let (missing, extra) =
        Names::of(Width::Short, &[listed(1), listed(2)]).compare(vec![listed(1)]);
    assert_eq!(extra, []);
    let extra = vec![Extra::new(Position(0x0a), Stamp::from_bits(0x0b))];
    let common = Digest::of(SUMMARY);
    let lists = vec![Comparison { cut: Some(300), missing, extra, common }];
    let mut bytes = vec![1, 1, 0x81, 2, 1, 1, 0xac, 2, 1, 2];
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 11]);
    bytes.extend(DIGEST);
    let response = Response::Explored(Explored { differing: vec![0x101], lists });
    assert_eq!(response.encode(), bytes);
    let mut fetch = Fetch::default();
    fetch.push(Position(0x0c));
    assert_eq!(fetch.encode(), [1, 0, 0, 0, 0, 0, 0, 0, 12]);
}

#[test]
fn a_digest_is_what_it_was_and_sees_both_sums_and_the_count() {
    assert_eq!(encode(&Digest::of(SUMMARY)), DIGEST);
    for lane in [0, 1] {
        let mut other = SUMMARY;
        other.sum[lane] += 1;
        assert_ne!(Digest::of(other), Digest::of(SUMMARY));
    }
    assert_ne!(Digest::of(Summary { count: 301, ..SUMMARY }), Digest::of(SUMMARY));
}

#[test]
fn the_greatest_messages_are_read_and_one_more_of_anything_is_refused() {
    let count = |what, limit| Err(MessageError::Count { what, found: limit + 1, limit });
    let ask = |compare, lists, names| {
        let request = explore(compare, lists, names);
        Request::decode(&request.encode()).map(|decoded| assert_eq!(decoded, request))
    };
    assert_eq!(ask(MAX_COMPARED, MAX_LISTS, MAX_LISTED), Ok(()));
    assert_eq!(ask(MAX_COMPARED + 1, 1, 0), count("tree nodes", MAX_COMPARED));
    assert_eq!(ask(0, MAX_LISTS + 1, 0), count("ranges", MAX_LISTS));
    assert_eq!(ask(0, 1, MAX_LISTED + 1), count("records", MAX_LISTED));
    let answer = |differing, lists, extra| {
        let response = explored(differing, lists, extra);
        Response::decode(&response.encode()).map(|decoded| assert_eq!(decoded, response))
    };
    assert_eq!(answer(MAX_COMPARED, MAX_LISTS, MAX_SEARCHED), Ok(()));
    assert_eq!(answer(MAX_COMPARED + 1, 1, 0), count("tree nodes", MAX_COMPARED));
    assert_eq!(answer(0, MAX_LISTS + 1, 0), count("ranges", MAX_LISTS));
    assert_eq!(answer(0, 1, MAX_SEARCHED + 1), count("records", MAX_SEARCHED));
    let fetch = |records| {
        let fetch = Fetch { positions: vec![[1; 8]; records] };
        Fetch::decode(&fetch.encode()).map(|decoded| assert_eq!(decoded, fetch))
    };
    assert_eq!(fetch(MAX_SEARCHED), Ok(()));
    assert_eq!(fetch(MAX_SEARCHED + 1), count("records", MAX_SEARCHED));
}

#[test]
fn more_bytes_than_allowed_are_not_read() {
    let error = |bytes: usize| Response::decode(&vec![0xff; bytes]).unwrap_err();
    assert_eq!(error(MAX_BYTES), MessageError::Malformed);
    assert_eq!(error(MAX_BYTES + 1), MessageError::Bytes(MAX_BYTES + 1));
    assert_eq!(Response::decode(&[]), Err(MessageError::Malformed));
    assert_eq!(Response::decode(&[2, 0]), Err(MessageError::Malformed));
}

#[test]
fn places_that_no_tree_has_are_refused() {
    // A tree node below level 15, one beyond its level's last, and a part that is empty.
    for list in [&[0, 16, 0][..], &[0, 1, 16], &[1, 3, 1, 3]] {
        let bytes = [&[1, 0, 1], list, &[0, 0]].concat();
        assert_eq!(Request::decode(&bytes), Err(MessageError::Place), "{list:?}");
    }
    let mut compare = vec![1, 1, 1, 16];
    compare.extend([0; 8 * FANOUT + 1]);
    assert_eq!(Request::decode(&compare), Err(MessageError::Place));
}

/// Bytes at random, and real messages with a byte changed or cut short.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let real = prop_oneof![
        Just(explore(2, 3, 4).encode()),
        Just(explored(2, 3, 4).encode()),
        Just(Request::Root(Root::new(5, SUMMARY)).encode()),
    ];
    let changed = (real, any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(
        |(mut bytes, at, byte, cut)| {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(if cut { at } else { usize::MAX });
            bytes
        },
    );
    prop_oneof![prop::collection::vec(any::<u8>(), 0..200), changed]
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes in garbage()) {
        if let Ok(request) = Request::decode(&bytes) {
            prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
        if let Ok(response) = Response::decode(&bytes) {
            prop_assert_eq!(Response::decode(&response.encode()), Ok(response));
        }
        if let Ok(fetch) = Fetch::decode(&bytes) {
            prop_assert_eq!(Fetch::decode(&fetch.encode()), Ok(fetch));
        }
    }
}
