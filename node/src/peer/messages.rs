//! Messages in a stream of bytes. HTTP/2 cuts a body into frames as it likes, so each message goes
//! behind a head of four bytes: whether it is a refusal, and its length.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::PeerError;
use super::handler::Refusal;

/// Set in the head of a refusal, which is the last message.
const REFUSED: u32 = 1 << 31;
/// Longest refusal.
const REFUSAL_LIMIT: usize = 16 << 10;
const HEAD: usize = 4;

/// A message as it travels.
pub(super) fn encode(message: &Result<Bytes, Refusal>) -> Bytes {
    match message {
        Ok(bytes) => framed(0, bytes),
        Err(refusal) => framed(REFUSED, &refusal_body(refusal)),
    }
}

fn framed(mark: u32, bytes: &[u8]) -> Bytes {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut framed = BytesMut::with_capacity(HEAD + bytes.len());
    framed.put_u32(mark | length);
    framed.put_slice(bytes);
    framed.freeze()
}

/// A refusal as JSON, cut to what a receiver takes.
pub(super) fn refusal_body(refusal: &Refusal) -> Bytes {
    // Escaped as JSON, a byte takes six at most.
    let cut = |text: &str| text.chars().take(REFUSAL_LIMIT / 32).collect();
    let refusal = Refusal { status: 0, code: cut(&refusal.code), text: cut(&refusal.text) };
    // Two texts always serialise.
    serde_json::to_vec(&refusal).unwrap_or_default().into()
}

/// A refusal from its body.
pub(super) fn read_refusal(status: u16, body: &[u8]) -> PeerError {
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => PeerError::Refused(Refusal { status, ..refusal }),
        Err(_) => PeerError::Malformed(format!("status {status} without a refusal's code")),
    }
}

/// Takes the next message off the front of `buffer`, once it is there whole.
pub(super) fn decode(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, PeerError> {
    let Some(head) = buffer.first_chunk::<HEAD>().map(|head| u32::from_be_bytes(*head)) else {
        return Ok(None);
    };
    let refused = head & REFUSED != 0;
    let limit = if refused { REFUSAL_LIMIT } else { limit };
    let length = (head & !REFUSED) as usize;
    if length > limit {
        return Err(PeerError::TooLarge { what: "a message", limit });
    }
    if buffer.len() - HEAD < length {
        return Ok(None);
    }
    buffer.advance(HEAD);
    let message = buffer.split_to(length).freeze();
    if refused { Err(read_refusal(MIDWAY, &message)) } else { Ok(Some(message)) }
}

/// The status of a refusal that comes when the answer has begun.
const MIDWAY: u16 = 500;

/// Most bytes of a body that says why something was refused.
pub(super) const fn refusal_limit() -> usize {
    REFUSAL_LIMIT
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_comes_is_decoded_or_refused(bytes: Vec<u8>, limit in 0usize..100) {
            let mut buffer = BytesMut::from(bytes.as_slice());
            while let Ok(Some(message)) = decode(&mut buffer, limit) {
                prop_assert!(message.len() <= limit);
            }
        }
    }

    #[test]
    fn messages_come_back_however_they_are_cut() {
        let sent = [b"".as_slice(), b"a", &[7; 300], b"end"];
        let bytes: Vec<u8> =
            sent.iter().flat_map(|m| encode(&Ok(Bytes::copy_from_slice(m)))).collect();
        for cut in [1, 3, 4, 5, 100, bytes.len()] {
            let mut buffer = BytesMut::new();
            let mut got = Vec::new();
            for piece in bytes.chunks(cut) {
                buffer.extend_from_slice(piece);
                while let Some(message) = decode(&mut buffer, 300).unwrap() {
                    got.push(message);
                }
            }
            assert_eq!(got, sent, "{cut}");
        }
    }

    #[test]
    fn a_message_may_be_as_large_as_the_limit_and_no_larger() {
        let mut buffer = BytesMut::from(encode(&Ok(Bytes::from_static(&[1; 300]))).as_ref());
        assert!(matches!(decode(&mut buffer, 299), Err(PeerError::TooLarge { limit: 299, .. })));
        assert_eq!(decode(&mut buffer, 300).unwrap().unwrap().len(), 300);
    }

    #[test]
    fn a_refusal_ends_a_stream_with_its_reason() {
        let refusal = Refusal::new(500, "no-such", "\u{1}".repeat(1 << 20));
        let mut buffer = BytesMut::from(encode(&Err(refusal)).as_ref());
        let Err(PeerError::Refused(read)) = decode(&mut buffer, 0) else { panic!() };
        assert_eq!((read.code.as_str(), read.text.len()), ("no-such", REFUSAL_LIMIT / 32));
    }
}
