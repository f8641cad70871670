//! The bytes of a datagram, before it is sealed.
//!
//! Numbers are big-endian; an incarnation is a LEB128 number. Reading never panics, whatever the
//! bytes are.

use std::net::{IpAddr, SocketAddr};

use bytes::{Buf, BufMut};
use foca::{Header, Member, Message, State};
use thiserror::Error;

use super::identity::Identity;
use super::member::{BootId, Incarnation};
use crate::NodeId;

/// Why bytes are not a datagram, or a datagram has no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum CodecError {
    #[error("it ends too early")]
    Short,
    #[error("{0} is not a kind of {1}")]
    Unknown(u8, &'static str),
    #[error("an incarnation has more than 64 bits")]
    Long,
    #[error("no room is left")]
    Full,
}

impl From<bytes::TryGetError> for CodecError {
    fn from(_: bytes::TryGetError) -> Self {
        Self::Short
    }
}

type Result<T> = std::result::Result<T, CodecError>;

/// How our datagrams are written and read.
#[derive(Debug)]
pub(super) struct Wire;

impl foca::Codec<Identity> for Wire {
    type Error = CodecError;

    fn encode_header(&mut self, header: &Header<Identity>, buf: impl BufMut) -> Result<()> {
        let mut bytes = Vec::with_capacity(128);
        put_identity(&mut bytes, &header.src);
        bytes.put_u16(header.src_incarnation);
        put_identity(&mut bytes, &header.dst);
        put_message(&mut bytes, &header.message);
        put_whole(buf, &bytes)
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Identity>> {
        Ok(Header {
            src: get_identity(&mut buf)?,
            src_incarnation: buf.try_get_u16()?,
            dst: get_identity(&mut buf)?,
            message: get_message(&mut buf)?,
        })
    }

    fn encode_member(&mut self, member: &Member<Identity>, buf: impl BufMut) -> Result<()> {
        let mut bytes = Vec::with_capacity(64);
        put_identity(&mut bytes, member.id());
        bytes.put_u16(member.incarnation());
        bytes.put_u8(match member.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        });
        put_whole(buf, &bytes)
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<Member<Identity>> {
        let (id, incarnation) = (get_identity(&mut buf)?, buf.try_get_u16()?);
        let state = match buf.try_get_u8()? {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Down,
            other => return Err(CodecError::Unknown(other, "state")),
        };
        Ok(Member::new(id, incarnation, state))
    }
}

/// Who a datagram says it is from.
pub(super) fn source(mut datagram: &[u8]) -> Result<Identity> {
    get_identity(&mut datagram)
}

/// All or nothing, so that a full datagram ends after a whole member.
fn put_whole(mut buf: impl BufMut, bytes: &[u8]) -> Result<()> {
    if buf.remaining_mut() < bytes.len() {
        return Err(CodecError::Full);
    }
    buf.put_slice(bytes);
    Ok(())
}

fn put_identity(bytes: &mut Vec<u8>, identity: &Identity) {
    bytes.put_slice(identity.node.as_bytes());
    put_number(bytes, identity.incarnation.number());
    bytes.put_u64(identity.boot.0);
    match identity.gossip.ip() {
        IpAddr::V4(ip) => {
            bytes.put_u8(4);
            bytes.put_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            bytes.put_u8(6);
            bytes.put_slice(&ip.octets());
        }
    }
    bytes.put_u16(identity.gossip.port());
}

fn get_identity(buf: &mut impl Buf) -> Result<Identity> {
    Ok(Identity {
        node: NodeId::from_bytes(get_array(buf)?),
        incarnation: Incarnation::of_number(get_number(buf)?),
        boot: BootId(buf.try_get_u64()?),
        gossip: SocketAddr::new(get_ip(buf)?, buf.try_get_u16()?),
    })
}

fn get_ip(buf: &mut impl Buf) -> Result<IpAddr> {
    match buf.try_get_u8()? {
        4 => Ok(IpAddr::from(get_array::<4>(buf)?)),
        6 => Ok(IpAddr::from(get_array::<16>(buf)?)),
        other => Err(CodecError::Unknown(other, "address")),
    }
}

fn get_array<const N: usize>(buf: &mut impl Buf) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    buf.try_copy_to_slice(&mut bytes)?;
    Ok(bytes)
}

fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.put_u8((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.put_u8((number & 0x7f) as u8);
}

fn get_number(buf: &mut impl Buf) -> Result<u64> {
    let mut number = 0u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = buf.try_get_u8()?;
        let bits = u64::from(byte & 0x7f);
        if bits > u64::MAX >> shift {
            return Err(CodecError::Long);
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(CodecError::Long)
}

fn put_message(bytes: &mut Vec<u8>, message: &Message<Identity>) {
    let (kind, third, probe) = match message {
        Message::Ping(probe) => (0, None, Some(probe)),
        Message::Ack(probe) => (1, None, Some(probe)),
        Message::PingReq { target, probe_number } => (2, Some(target), Some(probe_number)),
        Message::IndirectPing { origin, probe_number } => (3, Some(origin), Some(probe_number)),
        Message::IndirectAck { target, probe_number } => (4, Some(target), Some(probe_number)),
        Message::ForwardedAck { origin, probe_number } => (5, Some(origin), Some(probe_number)),
        Message::Announce => (6, None, None),
        Message::Feed => (7, None, None),
        Message::Gossip => (8, None, None),
        Message::Broadcast => (9, None, None),
        Message::TurnUndead => (10, None, None),
    };
    bytes.put_u8(kind);
    if let Some(third) = third {
        put_identity(bytes, third);
    }
    bytes.extend(probe);
}

fn get_message(buf: &mut impl Buf) -> Result<Message<Identity>> {
    let kind = buf.try_get_u8()?;
    Ok(match kind {
        0 => Message::Ping(buf.try_get_u8()?),
        1 => Message::Ack(buf.try_get_u8()?),
        2 => Message::PingReq { target: get_identity(buf)?, probe_number: buf.try_get_u8()? },
        3 => Message::IndirectPing { origin: get_identity(buf)?, probe_number: buf.try_get_u8()? },
        4 => Message::IndirectAck { target: get_identity(buf)?, probe_number: buf.try_get_u8()? },
        5 => Message::ForwardedAck { origin: get_identity(buf)?, probe_number: buf.try_get_u8()? },
        6 => Message::Announce,
        7 => Message::Feed,
        8 => Message::Gossip,
        9 => Message::Broadcast,
        10 => Message::TurnUndead,
        other => return Err(CodecError::Unknown(other, "message")),
    })
}

#[cfg(test)]
mod tests;
