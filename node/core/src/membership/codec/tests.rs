use std::net::SocketAddr;

use bytes::BufMut as _;
use foca::Codec as _;
use proptest::prelude::*;

use super::*;

fn identity() -> impl Strategy<Value = Identity> {
    (any::<[u8; 16]>(), any::<u64>(), any::<u64>(), any::<(IpAddr, u16)>()).prop_map(
        |(node, incarnation, boot, gossip)| Identity {
            node: NodeId::from_bytes(node),
            incarnation: Incarnation::of_number(incarnation),
            boot: BootId(boot),
            gossip: SocketAddr::from(gossip),
        },
    )
}

fn message() -> impl Strategy<Value = Message<Identity>> {
    (0u8..11, identity(), any::<u8>()).prop_map(|(kind, third, probe_number)| match kind {
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

proptest! {
    #[test]
    fn a_header_is_read_as_written(
        src in identity(), incarnation: u16, dst in identity(), message in message(), rest: Vec<u8>
    ) {
        let header = Header { src, src_incarnation: incarnation, dst, message };
        let mut bytes = Vec::new();
        Wire.encode_header(&header, &mut bytes).unwrap();
        bytes.extend(&rest);
        prop_assert_eq!(source(&bytes), Ok(src));
        let mut reader = bytes.as_slice();
        prop_assert_eq!(Wire.decode_header(&mut reader), Ok(header));
        prop_assert_eq!(reader, rest.as_slice());
    }

    #[test]
    fn a_member_is_read_as_written_or_not_written(
        id in identity(), incarnation: u16, room in 0usize..80
    ) {
        let member = Member::new(id, incarnation, State::Suspect);
        let mut bytes = Vec::new();
        Wire.encode_member(&member, &mut bytes).unwrap();
        prop_assert_eq!(Wire.decode_member(bytes.as_slice()), Ok(member.clone()));
        let mut small = Vec::new().limit(room);
        let written = Wire.encode_member(&member, &mut small);
        prop_assert_eq!(written.is_ok(), room >= bytes.len());
        prop_assert_eq!(small.get_ref().len(), if written.is_ok() { bytes.len() } else { 0 });
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        // Whether they mean something is of no concern here.
        let _ = Wire.decode_header(bytes.as_slice());
        let _ = Wire.decode_member(bytes.as_slice());
    }
}

#[test]
fn an_incarnation_beyond_64_bits_is_refused() {
    let mut greatest = vec![0xff; 9];
    greatest.push(1);
    assert_eq!(get_number(&mut greatest.as_slice()), Ok(u64::MAX));
    greatest[9] = 2;
    assert_eq!(get_number(&mut greatest.as_slice()), Err(CodecError::Long));
    assert_eq!(get_number(&mut [0x80; 11].as_slice()), Err(CodecError::Long));
}

#[test]
fn an_unknown_kind_is_named() {
    let mut bytes = Vec::new();
    put_message(&mut bytes, &Message::Announce);
    bytes[0] = 11;
    let refused = get_message(&mut bytes.as_slice());
    assert_eq!(refused, Err(CodecError::Unknown(11, "message")));
}
