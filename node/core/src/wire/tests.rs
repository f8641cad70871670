use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::codec;
use crate::digest::{DigestKey, Entry, Leaf, Summary, Tree};
use crate::id::{NodeId, VersionId};
use crate::key::{Key, RecordId};
use crate::members::{Census, ListId, Member, Standing};
use crate::sync::{Conversation, Fetch, Listed, Replica};
use crate::version::{Body, Origin, Version};

fn stamp() -> impl Strategy<Value = Stamp> {
    any::<u64>().prop_map(Stamp::from_bits)
}

fn node() -> impl Strategy<Value = NodeId> {
    any::<[u8; 16]>().prop_map(NodeId::from_bytes)
}

fn pulse() -> impl Strategy<Value = Pulse> {
    (stamp(), stamp(), stamp(), any::<u64>()).prop_map(|(clock, held, horizon, list)| Pulse {
        clock,
        held,
        horizon,
        list: ListId(list),
    })
}

fn run() -> impl Strategy<Value = Run> {
    any::<u64>().prop_map(Run::of)
}

fn census() -> impl Strategy<Value = Census> {
    let counted = prop::collection::vec((node(), any::<u64>()), 0..5);
    (counted, prop::collection::vec(node(), 0..3), any::<u64>())
        .prop_map(|(counted, gone, oldest)| Census { counted, gone, oldest: UnixMillis(oldest) })
}

fn life() -> impl Strategy<Value = Life> {
    prop::sample::select(vec![Life::Unborn, Life::Filling, Life::CatchingUp, Life::Serving])
}

fn hello() -> impl Strategy<Value = Box<Hello>> {
    let who = (any::<u128>(), node(), ".{0,20}", any::<[u64; 3]>());
    (any::<[u16; 2]>(), who, life(), pulse(), census()).prop_map(
        |([oldest, newest], (cluster, node, name, [joined, boot, wall]), life, pulse, census)| {
            let (joined, wall) = (UnixMillis(joined), UnixMillis(wall));
            let cluster = Uuid::from_u128(cluster);
            Box::new(Hello {
                oldest,
                newest,
                cluster,
                node,
                name,
                joined,
                boot,
                life,
                wall,
                pulse,
                census,
                format: 1,
                newest_format: 2,
            })
        },
    )
}

fn version(number: u64, bytes: usize) -> Sent {
    let record = RecordId::value(Key::client(&format!("k/{number}")).unwrap());
    let version = Version {
        stamp: Stamp::from_bits(number),
        origin: Origin { node: NodeId::from_bytes([1; 16]), joined: UnixMillis(2) },
        uuid: VersionId::from_bytes([3; 16]),
        created_at: UnixMillis(4),
        owner: None,
        expires_at: None,
        body: Body::Value(crate::value::Value::plain(
            crate::value::ContentType::JSON,
            vec![b'7'; bytes.max(1)].into(),
        )),
    };
    Sent {
        record: record.encode().into(),
        version: codec::encode(&version, crate::Format::NEWEST).into(),
    }
}

fn parcel() -> impl Strategy<Value = Parcel> {
    prop::collection::vec((any::<u64>(), 0usize..900), 0..4).prop_map(|sizes| {
        let sent: Vec<Sent> = sizes.iter().map(|(number, size)| version(*number, *size)).collect();
        Parcel::pack(&sent)
    })
}

fn request() -> impl Strategy<Value = sync::Request> {
    (0u8..5).prop_map(|records| Conversation::start(Stamp::from_bits(9), &Store::of(records)).1)
}

fn question() -> impl Strategy<Value = Question> {
    prop_oneof![
        hello().prop_map(Question::Hello),
        hello().prop_map(Question::Join),
        pulse().prop_map(Question::Begin),
        (run(), stamp(), request()).prop_map(|(run, horizon, request)| Question::Compare(
            run,
            Era::of(horizon),
            request
        )),
        (pulse(), run()).prop_map(|(pulse, run)| Question::Fetch(pulse, run, Fetch::default())),
        (pulse(), prop::option::of(run()), parcel())
            .prop_map(|(pulse, run, parcel)| Question::Push(pulse, run, parcel)),
        (pulse(), run()).prop_map(|(pulse, run)| Question::Agree(pulse, run)),
        (pulse(), any::<[u64; 2]>()).prop_map(|(pulse, [from, since])| Question::Range(
            pulse,
            RangeFrom { position: Position(from), revisions_since: UnixMillis(since) }
        )),
    ]
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let (ahead_millis, limit_millis) = (u64::MAX, 60_000);
    prop::sample::select(vec![
        Refusal::OtherCluster(Uuid::from_u128(7)),
        Refusal::Protocol { oldest: 1, newest: 2 },
        Refusal::Format { format: 2, newest: 1 },
        Refusal::Fenced,
        Refusal::GivenUp,
        Refusal::Behind,
        Refusal::Restarted,
        Refusal::Moved,
        Refusal::NotServing,
        Refusal::ClockAhead { ahead_millis, limit_millis },
        Refusal::Unreadable("why".into()),
        Refusal::Failed,
    ])
}

fn admission() -> impl Strategy<Value = Admission> {
    (node(), any::<u64>(), any::<[u8; 32]>(), pulse(), stamp()).prop_map(
        |(node, admission, digest_key, pulse, parted)| {
            let member = Member {
                node,
                name: "n".into(),
                joined: UnixMillis(1),
                admission,
                standing: Standing::Joined,
            };
            let cursor = Cursor { incarnation: admission, position: 3 };
            Admission {
                members: vec![member.clone()],
                member,
                digest_key,
                cursors: [(node, cursor)].into(),
                pulse,
                parted: [(node, parted)].into(),
                format: 2,
            }
        },
    )
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        hello().prop_map(Answer::Hello),
        (pulse(), run()).prop_map(|(pulse, run)| Answer::Begun(pulse, run)),
        Just(Answer::Compared(sync::Response::Rebuilding)),
        (pulse(), parcel(), any::<u32>())
            .prop_map(|(pulse, parcel, served)| Answer::Fetched(pulse, parcel, served)),
        pulse().prop_map(Answer::Pushed),
        pulse().prop_map(Answer::Agreed),
        admission().prop_map(|admission| Answer::Admitted(Box::new(admission))),
        (pulse(), parcel(), prop::option::of(any::<u64>()))
            .prop_map(|(pulse, parcel, next)| { Answer::Range(pulse, parcel, next.map(Position)) }),
        refusal().prop_map(Answer::Refused),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    (pulse(), any::<[u64; 4]>(), parcel()).prop_map(
        |(pulse, [wall, incarnation, position, head], versions)| {
            let wall = UnixMillis(wall);
            Frame { pulse, wall, incarnation, position, head, waiting: head, versions }
        },
    )
}

/// Reads bytes as everything that can arrive.
fn read(bytes: &[u8]) {
    for route in Route::ALL {
        if let Ok(Question::Push(_, _, parcel)) = Question::decode(route, bytes) {
            drop(parcel.unpack());
        }
    }
    if let Ok(Answer::Fetched(_, parcel, _) | Answer::Range(_, parcel, _)) = Answer::decode(bytes) {
        drop(parcel.unpack());
    }
    if let Ok(frame) = Frame::decode(bytes) {
        drop(frame.versions.unpack());
    }
    drop(Cursor::decode(bytes));
}

proptest! {
    #[test]
    fn questions_read_back(question in question()) {
        prop_assert_eq!(Question::decode(question.route(), &question.encode()), Ok(question));
    }

    #[test]
    fn answers_read_back(answer in answer()) {
        prop_assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
    }

    #[test]
    fn joined_pieces_of_a_log_hold_the_versions_of_both_and_reach_as_far_as_the_second(
        first in frame(),
        second in frame(),
    ) {
        let (near, far) = (first.position.min(second.position), first.position.max(second.position));
        let second = Frame { incarnation: first.incarnation, position: far, ..second };
        let mut joined = Frame { position: near, ..first.clone() };
        if joined.join(&second) {
            let mut versions = first.versions.unpack().unwrap();
            versions.extend(second.versions.unpack().unwrap());
            prop_assert_eq!(joined.versions.unpack().unwrap(), versions);
            prop_assert_eq!(Frame { versions: Parcel::default(), ..joined }, Frame { versions: Parcel::default(), ..second });
        }
    }

    #[test]
    fn pieces_of_different_logs_are_not_joined(first in frame(), second in frame()) {
        let other = Frame { incarnation: first.incarnation.wrapping_add(1), ..second };
        let mut joined = first.clone();
        prop_assert!(!joined.join(&other));
        prop_assert_eq!(joined, first);
    }

    #[test]
    fn frames_and_cursors_read_back(frame in frame()) {
        let cursor = Cursor { incarnation: frame.incarnation, position: frame.position };
        prop_assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }

    #[test]
    fn a_message_that_was_damaged_is_read_or_refused(
        question in question(),
        answer in answer(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for mut bytes in [question.encode(), answer.encode()] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            read(&bytes);
            read(&bytes[..at]);
        }
    }

    #[test]
    fn what_is_left_over_makes_a_message_unreadable(question in question(), answer in answer()) {
        let longer = |bytes: Vec<u8>| [bytes, vec![0]].concat();
        let route = question.route();
        prop_assert!(Question::decode(route, &longer(question.encode())).is_err());
        prop_assert!(Answer::decode(&longer(answer.encode())).is_err());
    }
}

#[test]
fn a_parcel_unpacks_up_to_its_bound_and_not_beyond() {
    let unpacked = |bytes: usize| {
        let plain = vec![0; bytes];
        let packed = zstd::bulk::compress(&plain, 1).unwrap();
        let announced = u32::try_from(bytes).unwrap();
        decode::<Parcel>("parcel", &encode(&(announced, packed))).unwrap().unpack()
    };
    // Zeros are a list of nothing, followed by more than it has.
    assert_eq!(unpacked(1), Ok(Vec::new()));
    assert_eq!(unpacked(MAX_PARCEL + 1), Err(WireError("parcel")));
}

#[test]
fn a_parcel_that_unpacks_to_more_than_it_announces_is_refused() {
    let packed = zstd::bulk::compress(&vec![0; 10_000_000], 1).unwrap();
    let parcel: Parcel = decode("parcel", &encode(&(1u32, packed))).unwrap();
    assert_eq!(parcel.unpack(), Err(WireError("parcel")));
}

#[test]
fn a_length_that_no_bytes_follow_allocates_nothing() {
    let four_thousand_million = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let list = [&[0][..], &four_thousand_million].concat();
    assert!(decode::<Vec<Sent>>("parcel", &list[1..]).is_err());
    assert!(Answer::decode(&[vec![3; 33], list].concat()).is_err());
}

#[test]
fn the_bytes_of_protocol_1_stay_as_they_are() {
    let at = |millis| Stamp::at(UnixMillis(millis));
    let pulse = Pulse { clock: at(1), held: at(2), horizon: at(3), list: ListId(4) };
    let of_pulse = "000001000000000000000200000000000000030000000000\
                    0400000000000000";
    let hex = |bytes: &[u8]| {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.concat()
    };
    let run = Run::of(0x0403_0201);
    assert_eq!(hex(&Question::Begin(pulse).encode()), of_pulse);
    assert_eq!(hex(&Question::Agree(pulse, run).encode()), format!("{of_pulse}01020304"));
    assert_eq!(hex(&Answer::Begun(pulse, run).encode()), format!("01{of_pulse}01020304"));
    assert_eq!(hex(&Answer::Agreed(pulse).encode()), format!("05{of_pulse}"));
    assert_eq!(hex(&Answer::Refused(Refusal::Fenced).encode()), "0802");
    let from = RangeFrom { position: Position(1), revisions_since: UnixMillis(2) };
    assert_eq!(hex(&Question::Range(pulse, from).encode()), format!("{of_pulse}0102"));
    let empty = Question::Push(pulse, None, Parcel::default());
    assert_eq!(hex(&empty.encode()), format!("{of_pulse}000000"));
    let frame = Frame {
        pulse,
        wall: UnixMillis(5),
        incarnation: 6,
        position: 7,
        head: 8,
        waiting: 8,
        versions: Parcel::default(),
    };
    assert_eq!(hex(&frame.encode()), format!("{of_pulse}05060708080000"));
}

#[test]
fn nodes_that_are_equal_find_out_in_less_than_200_bytes() {
    let store = Store::of(200);
    let pulse =
        Pulse { clock: Stamp::MAX, held: Stamp::MAX, horizon: Stamp::MAX, list: ListId(u64::MAX) };
    let run = Run::of(u64::MAX);
    let (_, request) = Conversation::start(Stamp::MAX, &store);
    let response = sync::respond(&request, &store).unwrap().response;
    let questions = [
        Question::Begin(pulse),
        Question::Compare(run, Era::of(Stamp::MAX), request),
        Question::Agree(pulse, run),
    ];
    let answers = [Answer::Begun(pulse, run), Answer::Compared(response), Answer::Agreed(pulse)];
    let asked: usize = questions.iter().map(|question| question.encode().len()).sum();
    let answered: usize = answers.iter().map(|answer| answer.encode().len()).sum();
    // A million records are counted in two bytes more each way than these are.
    assert!(asked + answered + 2 * 2 < 200, "{asked} and {answered}");
}

/// Some records, and their tree.
struct Store {
    rows: Vec<Listed>,
    tree: Tree,
}

impl Store {
    fn of(records: u8) -> Self {
        let key = DigestKey::new([7; 32]);
        let mut rows: Vec<Listed> = (0..records).map(|number| listed(&key, number)).collect();
        rows.sort_by_key(|row| row.position);
        let mut tree = Tree::new(2);
        for row in &rows {
            tree.add(Leaf { position: row.position, item: row.item });
        }
        Self { rows, tree }
    }
}

fn listed(key: &DigestKey, number: u8) -> Listed {
    let record = RecordId::value(Key::client(&number.to_string()).unwrap()).encode();
    let entry = Entry { stamp: Stamp::from_bits(1), uuid: VersionId::from_bytes([1; 16]) };
    Listed { position: key.position(&record), item: key.item(&record, &entry), record, entry }
}

impl Replica for Store {
    type Error = Infallible;

    fn depth(&self) -> u32 {
        self.tree.depth()
    }

    fn summary(&self, level: u32, index: u64) -> Summary {
        self.tree.summary(level, usize::try_from(index).unwrap())
    }

    fn list(
        &self,
        start: Position,
        end: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Listed>, Infallible> {
        let within =
            |row: &&Listed| start <= row.position && end.is_none_or(|end| row.position < end);
        Ok(self.rows.iter().filter(within).take(limit).cloned().collect())
    }
}
