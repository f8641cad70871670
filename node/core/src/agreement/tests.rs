use proptest::prelude::*;

use super::*;
use crate::members::{Member, Standing};

fn node(id: u8) -> NodeId {
    NodeId::from_bytes([id; 16])
}

fn members(ids: &[u8]) -> Members {
    let member = |id: &u8| Member {
        node: node(*id),
        name: id.to_string(),
        joined: UnixMillis(u64::from(*id)),
        admission: 1,
        standing: Standing::Joined,
    };
    ids.iter().map(member).collect()
}

fn at(millis: u64) -> Stamp {
    Stamp::at(UnixMillis(millis))
}

fn agreement(members: &Members) -> Agreement {
    let mut agreement = Agreement::new(node(1), Saved::default(), Duration::ZERO);
    agreement.members_are(members);
    agreement
}

#[test]
fn a_pulse_travels_in_32_bytes() {
    let pulse = Pulse { clock: at(1), held: at(2), horizon: at(3), list: ListId(4) };
    let bytes = postcard::to_extend(&pulse, Vec::new()).unwrap();
    assert_eq!(bytes.len(), 32);
    assert_eq!(postcard::from_bytes::<Pulse>(&bytes).unwrap(), pulse);
}

#[test]
fn held_is_the_least_agreement_and_waits_for_all() {
    let members = members(&[1, 2, 3]);
    let mut agreement = agreement(&members);
    agreement.agree(&members, node(2), at(50));
    assert_eq!(agreement.pulse(at(60)).list, ListId(0));
    agreement.agree(&members, node(3), at(40));
    let pulse = agreement.pulse(at(60));
    assert_eq!((pulse.held, pulse.list), (at(40), members.list()));
}

#[test]
fn another_list_of_members_starts_the_count_anew_and_takes_nothing_back() {
    let two = members(&[1, 2]);
    let mut agreement = agreement(&two);
    agreement.agree(&two, node(2), at(50));
    let three = members(&[1, 2, 3]);
    agreement.members_are(&three);
    assert_eq!(agreement.agreed(node(2)), None);
    assert_eq!((agreement.held(), agreement.pulse(at(60)).list), (at(50), ListId(0)));
    agreement.agree(&three, node(2), at(45));
    agreement.agree(&three, node(3), at(44));
    assert_eq!(agreement.held(), at(50));
}

#[test]
fn the_horizon_counts_only_what_was_published_under_the_same_list() {
    let two = members(&[1, 2]);
    let mut agreement = agreement(&two);
    agreement.agree(&two, node(2), at(50));
    let theirs = |list| Pulse { clock: at(60), held: at(45), horizon: at(0), list };
    agreement.hear(node(2), theirs(ListId(77)));
    assert!(!agreement.raise_horizon(&two));
    agreement.hear(node(2), theirs(two.list()));
    assert!(agreement.raise_horizon(&two));
    assert_eq!(agreement.horizon(), at(45));
    assert!(!agreement.raise_horizon(&two));
}

#[test]
fn a_node_that_is_alone_holds_all_but_the_last_instant() {
    let one = members(&[1]);
    let mut agreement = agreement(&one);
    agreement.raise_held(&one, at(10_000));
    assert_eq!(agreement.held(), at(8_000));
    assert!(agreement.raise_horizon(&one));
    assert_eq!(agreement.horizon(), at(8_000));
}

#[test]
fn who_is_no_member_publishes_nothing() {
    let others = members(&[2, 3]);
    let mut agreement = agreement(&others);
    agreement.agree(&others, node(2), at(50));
    agreement.agree(&others, node(3), at(50));
    assert_eq!((agreement.held(), agreement.pulse(at(60)).list), (Stamp::MIN, ListId(0)));
}

#[test]
fn the_fence_keeps_out_who_may_have_missed_a_forgotten_delete() {
    let pulse = |held, horizon| Pulse { held: at(held), horizon: at(horizon), ..Pulse::default() };
    let between = |mine, theirs| Fence::between(&mine, &theirs);
    assert_eq!(between(pulse(5, 3), pulse(4, 2)), Fence::Open);
    assert_eq!(between(pulse(5, 5), pulse(5, 5)), Fence::Open);
    assert_eq!(between(pulse(4, 1), pulse(9, 5)), Fence::Behind);
    assert_eq!(between(pulse(9, 5), pulse(4, 1)), Fence::Ahead);
    assert_eq!(between(pulse(4, 4), pulse(3, 5)), Fence::Both);
}

#[derive(Clone, Debug)]
enum Event {
    Agree(u8, u64),
    Hear(u8, u64, bool),
    Adopt(u64),
    List(Vec<u8>),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        (2u8..5, 0u64..100).prop_map(|(peer, stamp)| Event::Agree(peer, stamp)),
        (2u8..5, 0u64..100, any::<bool>())
            .prop_map(|(peer, held, ours)| Event::Hear(peer, held, ours)),
        (0u64..100).prop_map(Event::Adopt),
        prop::collection::vec(2u8..5, 0..3).prop_map(Event::List),
    ];
    prop::collection::vec(event, 0..40)
}

proptest! {
    #[test]
    fn neither_held_nor_the_horizon_ever_falls(events in events()) {
        let mut list = members(&[1, 2, 3]);
        let mut agreement = agreement(&list);
        let mut before = (Stamp::MIN, Stamp::MIN);
        for event in events {
            match event {
                Event::Agree(peer, stamp) => agreement.agree(&list, node(peer), at(stamp)),
                Event::Hear(peer, held, ours) => {
                    let name = if ours { list.list() } else { ListId(5) };
                    let pulse = Pulse { held: at(held), list: name, ..Pulse::default() };
                    agreement.hear(node(peer), pulse);
                }
                Event::Adopt(stamp) => {
                    agreement.adopt_horizon(at(stamp));
                }
                Event::List(mut ids) => {
                    ids.push(1);
                    list = members(&ids);
                    agreement.members_are(&list);
                }
            }
            agreement.raise_horizon(&list);
            let after = (agreement.held(), agreement.horizon());
            prop_assert!(after.0 >= before.0 && after.1 >= before.1);
            before = after;
        }
    }
}
