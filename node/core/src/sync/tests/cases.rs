//! Single conversations: limits, wrong trees, collisions, answers that do not fit.

use std::collections::BTreeMap;

use super::store::{Row, Store, TWIN, Talk, rank, spoiled, talk};
use super::{AGREED, CLOCK};
use crate::digest::Position;
use crate::sync::message::{Explored, Extra};
use crate::sync::{
    Conversation, Fetch, MAX_LISTED, MAX_SEARCHED, Next, Response, resolve, respond,
};
use crate::{Rank, Stamp};

fn plain(records: std::ops::Range<u64>) -> impl Iterator<Item = Row> {
    records.map(|record| Row::new(record, rank(1, record.into())))
}

fn agree(mine: &mut Store, theirs: &mut Store) -> Talk {
    let talk = talk(CLOCK, mine, theirs);
    assert_eq!(talk.end, Next::Agreed(AGREED));
    assert_eq!(mine.rows, theirs.rows);
    talk
}

#[test]
fn what_does_not_fit_into_a_message_is_listed_in_parts() {
    for (mine, theirs) in [(0..20_000, 9_000..28_000), (0..4_095, 20_000..28_190)] {
        let mut mine = Store::new(0, plain(mine));
        let mut theirs = Store::new(1, plain(theirs));
        let talk = agree(&mut mine, &mut theirs);
        assert!(talk.named <= MAX_LISTED + MAX_SEARCHED, "{}", talk.named);
        assert!(talk.requests < 25, "{}", talk.requests);
    }
}

#[test]
fn under_half_of_the_others_records_is_lopsided_from_4096_on() {
    let end = |mine, theirs| {
        let (mut mine, mut theirs) =
            (Store::new(1, plain(0..mine)), Store::new(1, plain(0..theirs)));
        talk(CLOCK, &mut mine, &mut theirs).end
    };
    assert_eq!(end(0, 4_095), Next::Agreed(AGREED));
    assert_eq!(end(0, 4_096), Next::Lopsided { mine: 0, theirs: 4_096 });
    assert_eq!(end(4_097, 2_048), Next::Lopsided { mine: 4_097, theirs: 2_048 });
    assert_eq!(end(4_096, 2_048), Next::Agreed(AGREED));
}

#[test]
fn a_tree_that_is_wrong_on_either_side_is_named() {
    for wrong in [0, 1] {
        let mut stores = [0, 1].map(|_| Store::new(2, plain(0..1_000)));
        let strayed = Row::new(5, rank(9, 9)).leaf();
        stores[wrong].tree.add(strayed);
        let [mine, theirs] = &mut stores;
        let talk = agree(mine, theirs);
        assert_eq!(talk.suspects[1 - wrong], []);
        let [node] = talk.suspects[wrong][..] else { panic!("{:?}", talk.suspects) };
        let (start, end) = node.range();
        assert_eq!(node.level(), 2);
        assert!(start <= strayed.position && end.is_none_or(|end| strayed.position < end));
        assert_eq!((talk.sent, talk.requests), (vec![], 4));
    }
}

/// Two versions of one record whose items begin with the same 3 bytes.
fn namesakes(record: u64) -> [Rank; 2] {
    let mut seen = BTreeMap::new();
    for uuid in 0.. {
        let rank = rank(1, uuid);
        if let Some(other) = seen.insert(Row::new(record, rank).leaf().item.0[0] >> 40, rank) {
            return [other, rank];
        }
    }
    unreachable!("2^24 names are used up")
}

#[test]
fn items_that_begin_alike_are_told_apart_by_all_their_bytes() {
    let mut mine = Store::new(1, plain(0..100));
    let mut theirs = mine.clone();
    let [ours, other] = namesakes(7);
    mine.write(7, ours);
    theirs.write(7, other);
    let talk = agree(&mut mine, &mut theirs);
    assert_eq!((talk.counts.differing, talk.requests), (1, 4));
    assert_eq!(talk.suspects, [[], []]);
}

#[test]
fn two_records_at_one_position_all_arrive() {
    let mut mine = Store::new(1, plain(0..50));
    let mut theirs = mine.clone();
    mine.write(TWIN | 7, rank(3, 1));
    mine.write(7, rank(4, 1));
    theirs.write(7, rank(2, 2));
    assert_eq!(agree(&mut mine, &mut theirs).counts.differing, 1);
    let twins = |record| (mine.find(record), theirs.find(record));
    assert_eq!(twins(7), (Some(rank(4, 1)), Some(rank(4, 1))));
    assert_eq!(twins(TWIN | 7), (Some(rank(3, 1)), Some(rank(3, 1))));
}

#[test]
fn a_record_that_went_away_before_it_was_fetched_is_left_out() {
    let mut fetch = Fetch::default();
    fetch.push(Position(u64::MAX));
    let rows: Vec<_> = plain(0..2).collect();
    for row in &rows {
        fetch.push(row.leaf().position);
    }
    let found = resolve(&fetch, &Store::new(0, rows)).unwrap();
    assert_eq!(found, [0u64, 1].map(|record| record.to_be_bytes().to_vec()));
}

#[test]
fn a_question_below_the_own_leaves_is_refused() {
    let deep = Store::new(2, plain(0..500));
    let (mut conversation, _) = Conversation::start(CLOCK, &deep);
    let other = respond(
        &Conversation::start(CLOCK, &Store::new(2, plain(1..500))).1,
        &Store::new(2, plain(1..500)),
    );
    let turn = conversation.turn(other.unwrap().response, &deep).unwrap();
    let Next::Ask(request) = turn.next else { panic!("{turn:?}") };
    let error = respond(&request, &Store::new(0, [])).unwrap_err();
    let message = "asked to compare the children of level 0 in a tree of depth 0";
    assert_eq!(error.to_string(), message);
}

#[test]
fn an_answer_to_another_question_ends_the_conversation() {
    let (mine, theirs) = (Store::new(1, plain(0..50)), Store::new(1, plain(0..51)));
    let explored = |change: fn(&mut Explored)| {
        let spoil = |mut response| {
            if let Response::Explored(explored) = &mut response {
                change(explored);
            }
            response
        };
        spoiled(&mine, &theirs, spoil).to_string()
    };
    let unfit = |why| format!("the peer's answer does not fit what it was asked: {why}");
    assert_eq!(
        explored(|explored| explored.differing.push(1)),
        unfit("it has another number of parts")
    );
    let nowhere = |explored: &mut Explored| {
        for list in &mut explored.lists {
            list.cut = Some(0);
        }
    };
    assert_eq!(explored(nowhere), unfit("it does not get on"));
    let beyond = |explored: &mut Explored| {
        for list in &mut explored.lists {
            list.cut = Some(u64::MAX);
        }
    };
    assert_eq!(explored(beyond), unfit("it goes too far"));
    let elsewhere = |explored: &mut Explored| {
        for list in &mut explored.lists {
            list.extra.push(Extra::new(Position(0), Stamp::MAX));
        }
    };
    assert_eq!(explored(elsewhere), unfit("it names records of another range"));
    let kind = spoiled(&mine, &theirs, |_| Response::Explored(Explored::default()));
    assert_eq!(kind.to_string(), unfit("it is of another kind"));
    let busy = spoiled(&mine, &theirs, |_| Response::Rebuilding);
    assert_eq!(busy.to_string(), "the peer is rebuilding its digest tree");
}
