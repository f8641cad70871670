//! What a single node does with what it is told.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use crate::membership::{
    BootId, Config, Effect, Event, Incarnation, Input, Member, Membership, State,
};
use crate::{NodeId, UnixMillis};

const NOW: Duration = Duration::from_secs(1);

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 9080))
}

fn member(number: u8) -> Member {
    Member {
        node: NodeId::from_bytes([number; 16]),
        name: format!("node-{number}"),
        boot: BootId(u64::from(number)),
        incarnation: Incarnation::of_start(3),
        gossip: address(number),
        peer: address(number),
        client: SocketAddr::from(([10, 0, 0, number], 8080)),
        joined: UnixMillis(1),
        zone: Some("a".into()),
        protocol: 1,
        release: "0.1.0".into(),
    }
}

fn node(seeds: usize) -> Membership {
    Membership::new(member(1), Config { gossip_interval: NOW, seeds }, 7)
}

fn pulls(effects: &[Effect]) -> Vec<SocketAddr> {
    let pulls = effects.iter().filter_map(|effect| match effect {
        Effect::Pull { from } => Some(*from),
        _ => None,
    });
    pulls.collect()
}

fn events(effects: Vec<Effect>) -> Vec<Event> {
    let events = effects.into_iter().filter_map(|effect| match effect {
        Effect::Tell(event) => Some(event),
        _ => None,
    });
    events.collect()
}

#[test]
fn every_seed_is_resolved_at_once_and_for_ever() {
    let mut node = node(2);
    let resolved = node.step(Input::Wake, Duration::ZERO);
    assert_eq!(resolved, [Effect::Resolve { seed: 0 }, Effect::Resolve { seed: 1 }]);
    let mut now = Duration::ZERO;
    let mut count = 0;
    while now < Duration::from_hours(1) {
        let nothing = Input::Resolved { seed: 0, addresses: Vec::new() };
        assert_eq!(node.step(nothing, now), [], "a name that is not there is not an error");
        while node.step(Input::Wake, now) != [Effect::Resolve { seed: 0 }] {
            now = node.next_wake().unwrap();
        }
        count += 1;
    }
    assert!((300..600).contains(&count), "{count} times in an hour");
}

#[test]
fn the_own_address_is_skipped_and_a_hundred_others_are_not_asked_at_once() {
    let mut node = node(1);
    node.step(Input::Wake, Duration::ZERO);
    let addresses = (1..=100).map(address).collect();
    let asked = pulls(&node.step(Input::Resolved { seed: 0, addresses }, NOW));
    assert_eq!(asked.len(), 3);
    assert!(!asked.contains(&address(1)));
    node.step(Input::Resolved { seed: 0, addresses: vec![address(1)] }, NOW);
    assert_eq!(node.members(), []);
}

#[test]
fn hints_lead_to_those_who_are_unknown_and_to_nobody_else() {
    let mut node = node(0);
    node.step(Input::Pulled { from: address(2), members: vec![member(2)] }, NOW);
    let hint = Input::Hint(vec![address(1), address(2), address(3)]);
    assert_eq!(pulls(&node.step(hint, NOW)), [address(3)]);
    let many = Input::Hint((4..=100).map(address).collect());
    assert_eq!(pulls(&node.step(many, NOW)).len(), 3);
}

#[test]
fn who_is_pulled_is_up_with_everything_that_is_known() {
    let mut node = node(0);
    let members = vec![member(3), member(2), member(1)];
    let effects = node.step(Input::Pulled { from: address(2), members }, NOW);
    let announced =
        |effect: &Effect| matches!(effect, Effect::Send { to, .. } if *to == address(2));
    assert!(effects.iter().any(announced));
    assert_eq!(events(effects), [Event::Up(member(2).into()), Event::Up(member(3).into())]);
    let seen = node.members();
    assert_eq!(seen.len(), 2);
    assert_eq!(*seen[0].member, member(2));
    assert_eq!((seen[0].state, seen[0].last_seen), (State::Alive, NOW));
    assert_eq!(node.introductions(), [member(1), member(2), member(3)]);
}

#[test]
fn a_newer_process_of_a_member_is_a_change_and_an_older_one_nothing() {
    let mut node = node(0);
    node.step(Input::Met(member(2)), NOW);
    let again = Member { boot: BootId(9), incarnation: Incarnation::of_start(4), ..member(2) };
    let told = events(node.step(Input::Met(again.clone()), NOW));
    assert_eq!(told, [Event::Changed(again.clone().into())]);
    assert_eq!(events(node.step(Input::Met(member(2)), NOW)), []);
    assert_eq!(*node.members()[0].member, again);
}

#[test]
fn who_meets_its_own_id_knows_its_twin_at_once_and_says_so_once() {
    let mut node = node(0);
    let twin = Member { boot: BootId(9), gossip: address(9), ..member(1) };
    let told = events(node.step(Input::Met(twin.clone()), NOW));
    assert!(matches!(told[..], [Event::TwinSeen(seen)] if seen.boot == BootId(9)));
    assert_eq!(events(node.step(Input::Met(twin), NOW)), []);
    assert_eq!(node.twin().map(|twin| twin.gossip), Some(address(9)));
    assert_eq!(events(node.step(Input::Met(member(1)), NOW)), [], "this one itself");
}

#[test]
fn words_of_an_earlier_process_are_no_twin() {
    let mut node = node(0);
    let before = Member { boot: BootId(9), incarnation: Incarnation::of_start(2), ..member(1) };
    for incarnation in [before.incarnation, before.incarnation.next(), before.incarnation.next()] {
        let members = vec![member(2), Member { incarnation, ..before.clone() }];
        node.step(Input::Pulled { from: address(2), members }, NOW * 5);
    }
    assert_eq!(node.twin(), None);
    assert_eq!(node.me().incarnation, Incarnation::of_start(3));
}

#[test]
fn who_does_not_answer_is_suspected_then_down_and_only_then_forgotten() {
    let mut node = node(0);
    node.step(Input::Met(member(2)), NOW);
    node.step(Input::Forget(member(2).node), NOW);
    assert_eq!(node.members().len(), 1);
    let (mut now, mut suspected) = (NOW, None);
    while node.members()[0].state != State::Down {
        now = node.next_wake().unwrap();
        node.step(Input::Wake, now);
        suspected = suspected.or((node.members()[0].state == State::Suspect).then_some(now));
    }
    assert!(suspected.unwrap() < NOW * 4);
    assert!(now < NOW * 8);
    node.step(Input::Forget(member(2).node), now);
    assert_eq!(node.members(), []);
}

#[test]
fn a_cluster_that_should_be_larger_is_asked_again() {
    let asked = |expected| {
        let mut node = node(0);
        node.step(Input::Met(member(2)), NOW);
        node.step(Input::Expect(expected), NOW);
        let mut asked = Vec::new();
        while let Some(now) = node.next_wake().filter(|now| *now < NOW * 5) {
            asked.extend(pulls(&node.step(Input::Wake, now)));
        }
        asked
    };
    assert_eq!(asked(2), []);
    assert_eq!(asked(3), [address(2)]);
}

#[test]
fn after_leaving_nothing_happens_any_more() {
    let mut node = node(1);
    node.step(Input::Met(member(2)), NOW);
    let told = node.step(Input::Leave, NOW);
    assert!(told.iter().all(|effect| matches!(effect, Effect::Send { .. })));
    assert!(!told.is_empty());
    assert_eq!(node.next_wake(), None);
    assert_eq!(node.step(Input::Met(member(3)), NOW * 2), []);
    assert_eq!(node.step(Input::Wake, NOW * 2), []);
}

proptest! {
    #[test]
    fn bytes_that_mean_nothing_are_reported_and_change_nothing(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut node = node(0);
        let input = Input::Datagram { from: address(2), payload: Bytes::from(bytes) };
        let effects = node.step(input, NOW);
        let malformed = Effect::Malformed { from: address(2) };
        prop_assert!(effects.iter().all(|effect| *effect == malformed));
        prop_assert!(node.members().is_empty());
    }
}

#[test]
fn an_introduction_is_written_as_it_was_and_read_with_what_a_later_release_adds() {
    let json = concat!(
        r#"{"node":"01010101-0101-0101-0101-010101010101","name":"node-1","boot":1,"#,
        r#""incarnation":196608,"gossip":"10.0.0.1:9080","peer":"10.0.0.1:9080","#,
        r#""client":"10.0.0.1:8080","joined":1,"zone":"a","protocol":1,"release":"0.1.0"}"#,
    );
    assert_eq!(serde_json::to_string(&member(1)).unwrap(), json);
    let later = json.replace('{', r#"{"added":true,"#);
    assert_eq!(serde_json::from_str::<Member>(&later).unwrap(), member(1));
}
