//! The tamper-evident log of a running node: the part that stores, signs and compares what
//! [`kvs_core::audit`] defines.
//!
//! Reading order: [`layout`] (rows), [`Appender`] (entries in the batch of what they are about),
//! [`NodeKey`] (who signs), [`archive`] (files of older entries), [`Log`] (reading both), [`Audit`]
//! (what a running node does with them: `keeper` and `upkeep`), [`exchange`] (heads of other nodes),
//! [`mod@retire`] (logs of nodes that are no more), [`verify`] (offline).

mod appender;
pub mod archive;
mod denials;
pub mod exchange;
mod failures;
mod keeper;
mod key;
pub mod layout;
mod log;
mod notice;
mod retire;
mod silence;
mod start;
mod stored;
mod upkeep;
mod uses;
pub mod verify;

#[cfg(test)]
mod tests;

pub use self::appender::{Appender, Said};
pub use self::exchange::{Alarm, Seen};
pub use self::keeper::{Audit, AuditError, PeerFigures, run};
pub use self::key::{NodeKey, PublicKey, is_signed};
pub use self::layout::Edge;
pub use self::log::{Log, Sizes, Unproven};
pub use self::notice::Notice;
pub use self::retire::{RetireError, retire};

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that hexadecimal digits stand for; nothing if they are none.
pub fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok().filter(|_| pair.len() == 2)?;
        pair.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(pair)?;
        u8::from_str_radix(pair, 16).ok()
    };
    pairs.map(byte).collect()
}

/// The 32 bytes that 64 hexadecimal digits stand for; nothing if they are none.
pub fn from_hex(digits: &str) -> Option<[u8; 32]> {
    bytes_of(digits)?.try_into().ok()
}
