use std::collections::BTreeSet;

use proptest::prelude::*;

use self::store::{Row, Sent, Store, rank, talk, talk_while};
use super::*;
use crate::{Rank, Stamp, UnixMillis};

mod bytes;
mod cases;
mod store;

/// The conversations' clock; what is stamped after two seconds before it is in flight.
const CLOCK: Stamp = Stamp::from_bits(10_000 << 16);
const AGREED: Stamp = Stamp::from_bits(8_000 << 16);

/// What the two sides have of one record.
type Pair = (Option<Rank>, Option<Rank>);

/// Few stamps and identities, so that ties happen often; some stamps are in flight.
fn version() -> impl Strategy<Value = Rank> {
    let stamp = prop_oneof![
        6 => 1u64..4,
        1 => Just(AGREED.bits()),
        1 => Just(AGREED.bits() + 1),
        1 => Just(CLOCK.bits()),
    ];
    // A version's identity says which node it came from.
    (stamp, 0u8..4).prop_map(|(stamp, uuid)| Rank {
        origin_joined: UnixMillis((uuid % 3).into()),
        ..rank(stamp, uuid.into())
    })
}

fn pair() -> impl Strategy<Value = Pair> {
    prop_oneof![
        6 => version().prop_map(|both| (Some(both), Some(both))),
        1 => (version(), version()).prop_map(|(mine, theirs)| (Some(mine), Some(theirs))),
        1 => version().prop_map(|mine| (Some(mine), None)),
        1 => version().prop_map(|theirs| (None, Some(theirs))),
    ]
}

prop_compose! {
    /// Two stores of up to a few hundred records each, with trees of any two depths.
    fn stores()(
        pairs in prop_oneof![
            prop::collection::vec(pair(), 0..20),
            prop::collection::vec(pair(), 0..400),
        ],
        depths in (0u32..4, 0u32..4),
    ) -> (Vec<Pair>, Store, Store) {
        let side = |pick: fn(&Pair) -> Option<Rank>| {
            (0..).zip(&pairs).filter_map(move |(record, pair)| Some(Row::new(record, pick(pair)?)))
        };
        let mine = Store::new(depths.0, side(|pair| pair.0));
        let theirs = Store::new(depths.1, side(|pair| pair.1));
        (pairs, mine, theirs)
    }
}

/// What both sides are to have of a record afterwards.
fn expected((mine, theirs): Pair) -> Pair {
    let winner = mine.max(theirs);
    let settled = |rank: Option<Rank>| rank.is_some_and(|rank| rank.stamp <= AGREED);
    if settled(mine) || settled(theirs) { (winner, winner) } else { (mine, theirs) }
}

/// Whether a version should have travelled: it wins, or its stamp is the winner's.
fn deserved(sent: &Sent, (mine, theirs): Pair) -> bool {
    let (from, to) = if sent.pushed { (mine, theirs) } else { (theirs, mine) };
    from == Some(sent.rank) && from != to && to.is_none_or(|to| sent.rank.stamp >= to.stamp)
}

fn differing(pairs: &[Pair]) -> usize {
    pairs.iter().filter(|pair| pair.0 != pair.1 && expected(**pair) != **pair).count()
}

fn in_flight(pairs: &[Pair]) -> usize {
    pairs.iter().filter(|pair| pair.0 != pair.1 && expected(**pair) == **pair).count()
}

prop_compose! {
    /// Writes after the conversation began, of a few records, each seen by one side or both.
    fn later_writes()(
        writes in prop::collection::vec((0u64..400, 1u64..1_000, 1u8..4), 0..200),
    ) -> Vec<(u64, Rank, u8)> {
        let late = |after: u64| rank(CLOCK.bits() + after, after.into());
        writes.into_iter().map(|(record, after, sides)| (record, late(after), sides)).collect()
    }
}

proptest! {
    #[test]
    fn what_was_agreed_is_held_whatever_was_written_in_between(
        (pairs, mut mine, mut theirs) in stores(),
        mut writes in later_writes(),
    ) {
        let talk = talk_while(CLOCK, &mut mine, &mut theirs, |mine, theirs| {
            for (record, rank, sides) in writes.split_off(writes.len().saturating_sub(20)) {
                let written = vec![(record, rank)];
                if sides & 1 != 0 {
                    mine.merge_all(written.clone());
                }
                if sides & 2 != 0 {
                    theirs.merge_all(written);
                }
            }
        });
        prop_assert_eq!(talk.end, Next::Agreed(AGREED));
        prop_assert_eq!(talk.suspects, [vec![], vec![]]);
        for (record, pair) in (0..).zip(&pairs) {
            let had = [pair.0, pair.1].into_iter().flatten().filter(|rank| rank.stamp <= AGREED);
            let agreed = had.max();
            let held = [mine.find(record), theirs.find(record)];
            // Only what was replaced before it could be seen is missing, and then nothing is there.
            let replaced = held.iter().flatten().any(|rank| rank.stamp > AGREED);
            let known = |held: &Option<Rank>| held.is_none() && replaced || *held >= agreed;
            prop_assert!(held.iter().all(known), "{held:?} after {pair:?}");
        }
    }

    #[test]
    fn both_sides_end_with_the_winner_of_every_record((pairs, mut mine, mut theirs) in stores()) {
        let talk = talk(CLOCK, &mut mine, &mut theirs);
        prop_assert_eq!(talk.end, Next::Agreed(AGREED));
        for (record, pair) in (0..).zip(&pairs) {
            prop_assert_eq!((mine.find(record), theirs.find(record)), expected(*pair));
        }
        prop_assert_eq!(talk.suspects, [vec![], vec![]]);
    }

    #[test]
    fn exactly_the_differences_are_found((pairs, mut mine, mut theirs) in stores()) {
        let talk = talk(CLOCK, &mut mine, &mut theirs);
        prop_assert_eq!(talk.counts.differing, differing(&pairs) as u64);
        prop_assert_eq!(talk.counts.in_flight, in_flight(&pairs) as u64);
        let pushed = talk.sent.iter().filter(|sent| sent.pushed).count();
        prop_assert_eq!(talk.counts.pushed, pushed as u64);
        prop_assert_eq!(talk.counts.fetched, (talk.sent.len() - pushed) as u64);
    }

    #[test]
    fn no_version_is_sent_twice_and_no_loser_but_to_an_equal_stamp(
        (pairs, mut mine, mut theirs) in stores()
    ) {
        let talk = talk(CLOCK, &mut mine, &mut theirs);
        let once: BTreeSet<_> = talk.sent.iter().map(|sent| (sent.pushed, sent.record)).collect();
        prop_assert_eq!(once.len(), talk.sent.len());
        for sent in &talk.sent {
            let pair = pairs[usize::try_from(sent.record).unwrap()];
            prop_assert!(deserved(sent, pair), "{sent:?} of {pair:?}");
        }
    }

    #[test]
    fn a_few_hundred_records_take_a_message_for_each_level(
        (_, mut mine, mut theirs) in stores()
    ) {
        let levels = mine.depth().min(theirs.depth());
        let talk = talk(CLOCK, &mut mine, &mut theirs);
        // One more where two names of three bytes are the same: the range is listed again in full.
        prop_assert!(talk.requests <= 3 + levels as usize, "{}", talk.requests);
    }

    #[test]
    fn equal_sets_end_after_one_message((_, mut mine, _) in stores(), depth in 0u32..4) {
        let mut theirs = Store::new(depth, mine.rows.clone());
        let talk = talk(CLOCK, &mut mine, &mut theirs);
        prop_assert_eq!((talk.requests, talk.end), (1, Next::Agreed(AGREED)));
        prop_assert_eq!((talk.counts, talk.sent), (Counts::default(), vec![]));
    }

    #[test]
    fn a_second_conversation_finds_nothing_but_what_is_in_flight(
        (pairs, mut mine, mut theirs) in stores()
    ) {
        let _ = talk(CLOCK, &mut mine, &mut theirs);
        let again = talk(CLOCK, &mut mine, &mut theirs);
        prop_assert_eq!(again.sent, vec![]);
        prop_assert_eq!(again.counts.in_flight, in_flight(&pairs) as u64);
        let later = Stamp::at(UnixMillis(20_000));
        let _ = talk(later, &mut mine, &mut theirs);
        prop_assert_eq!(mine.rows, theirs.rows);
    }
}
