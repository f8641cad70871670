//! What no honest member would say, but one with a defect might.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut as _, Bytes};
use foca::{Codec as _, Header, Message, State};
use proptest::prelude::*;

use crate::membership::codec::Wire;
use crate::membership::identity::Identity;
use crate::membership::{BootId, Config, Incarnation, Input, Member, Membership};
use crate::{NodeId, UnixMillis};

const SECOND: Duration = Duration::from_secs(1);

/// Few nodes, processes, incarnations and addresses, so that claims meet and contradict each other.
/// Node 0 is the one that is told.
fn identity() -> impl Strategy<Value = Identity> {
    (0u8..4, 0u64..3, 0u64..3, 0u8..4).prop_map(|(node, boot, above, address)| Identity {
        node: NodeId::from_bytes([node; 16]),
        incarnation: Incarnation::of_number(Incarnation::of_start(1).number() + above - 1),
        boot: BootId(boot),
        gossip: SocketAddr::from(([10, 0, 0, address], 9080)),
    })
}

fn message() -> impl Strategy<Value = Message<Identity>> {
    (0u8..11, identity(), 0u8..3).prop_map(|(kind, third, probe_number)| match kind {
        0 => Message::Ping(probe_number),
        1 => Message::Ack(probe_number),
        2 => Message::PingReq { target: third, probe_number },
        3 => Message::IndirectPing { origin: third, probe_number },
        4 => Message::IndirectAck { target: third, probe_number },
        5 => Message::ForwardedAck { origin: third, probe_number },
        6 => Message::Announce,
        7 => Message::Feed,
        8 => Message::Gossip,
        9 => Message::Broadcast,
        _ => Message::TurnUndead,
    })
}

fn claims() -> impl Strategy<Value = Vec<foca::Member<Identity>>> {
    let state = prop::sample::select(vec![State::Alive, State::Suspect, State::Down]);
    let incarnation = prop::sample::select(vec![0, 1, u16::MAX]);
    let claim = (identity(), incarnation, state);
    let claim =
        claim.prop_map(|(id, incarnation, state)| foca::Member::new(id, incarnation, state));
    prop::collection::vec(claim, 0..5)
}

/// A datagram that can be read, for the node itself where `dst` is nothing.
fn datagram() -> impl Strategy<Value = (Option<Identity>, Identity, Vec<u8>)> {
    let parts = (identity(), prop::option::of(identity()), message(), claims());
    parts.prop_map(|(src, dst, message, claims)| {
        let mut rest = Vec::new();
        let header = Header { src, src_incarnation: 0, dst: src, message };
        Wire.encode_header(&header, &mut rest).unwrap();
        rest.put_u16(u16::try_from(claims.len()).unwrap());
        for claim in &claims {
            Wire.encode_member(claim, &mut rest).unwrap();
        }
        (dst, src, rest)
    })
}

fn member(identity: Identity) -> Member {
    Member {
        node: identity.node,
        name: "node".into(),
        boot: identity.boot,
        incarnation: identity.incarnation,
        gossip: identity.gossip,
        peer: identity.gossip,
        client: identity.gossip,
        joined: UnixMillis(1),
        zone: None,
        protocol: 1,
        release: "0".into(),
    }
}

#[derive(Clone, Debug)]
enum Told {
    Datagram((Option<Identity>, Identity, Vec<u8>)),
    Pulled(Vec<Identity>),
    Met(Identity),
    Forget(u8),
    Wait(u8),
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        6 => datagram().prop_map(Told::Datagram),
        1 => prop::collection::vec(identity(), 0..5).prop_map(Told::Pulled),
        1 => identity().prop_map(Told::Met),
        1 => (0u8..4).prop_map(Told::Forget),
        2 => (0u8..20).prop_map(Told::Wait),
    ]
}

/// The datagram, addressed to the node as it now calls itself unless it says otherwise.
fn addressed(node: &Membership, dst: Option<Identity>, src: Identity, datagram: &[u8]) -> Bytes {
    let mut reader = datagram;
    let header = Wire.decode_header(&mut reader).unwrap();
    let dst = dst.unwrap_or(node.me().identity());
    let mut bytes = Vec::new();
    Wire.encode_header(&Header { src, dst, ..header }, &mut bytes).unwrap();
    bytes.extend(reader);
    bytes.into()
}

fn tell(node: &mut Membership, told: Told, now: &mut Duration) {
    let input = match told {
        Told::Datagram((dst, src, rest)) => {
            let payload = addressed(node, dst, src, &rest);
            Input::Datagram { from: src.gossip, payload }
        }
        Told::Pulled(claims) => Input::Pulled {
            from: SocketAddr::from(([10, 0, 0, 1], 9080)),
            members: claims.into_iter().map(member).collect(),
        },
        Told::Met(claim) => Input::Met(member(claim)),
        Told::Forget(number) => Input::Forget(NodeId::from_bytes([number; 16])),
        Told::Wait(tenths) => {
            *now += SECOND * u32::from(tenths) / 10;
            Input::Wake
        }
    };
    node.step(input, *now);
}

proptest! {
    #[test]
    fn a_node_lives_through_whatever_it_is_told(story in prop::collection::vec(told(), 1..60)) {
        let me = Identity {
            node: NodeId::from_bytes([0; 16]),
            incarnation: Incarnation::of_start(1),
            boot: BootId(1),
            gossip: SocketAddr::from(([10, 0, 0, 0], 9080)),
        };
        let config = Config { gossip_interval: SECOND, seeds: 1 };
        let mut node = Membership::new(member(me), config, 1);
        let mut now = Duration::ZERO;
        let before = node.me().incarnation;
        for told in story {
            tell(&mut node, told, &mut now);
            prop_assert!(node.members().iter().all(|seen| seen.member.node != me.node));
            prop_assert_eq!(node.introductions()[0].boot, me.boot);
        }
        prop_assert!(node.me().incarnation >= before);
        // It goes on by itself: whoever it holds to be up and does not answer is down in the end.
        let end = now + SECOND * 60;
        while let Some(due) = node.next_wake().filter(|due| *due < end) {
            node.step(Input::Wake, due);
        }
        let up = |node: &Membership| node.introductions().len() - 1;
        prop_assert_eq!(up(&node), 0);
    }
}
