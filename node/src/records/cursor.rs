//! Positions as opaque texts, for `after` and `Last-Event-ID`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

/// A position that a client gives back as it was given.
pub trait Cursor: Sized {
    /// Tells positions of different lists apart.
    const TAG: u8;

    /// The parts of the position.
    fn parts(&self) -> Vec<Vec<u8>>;

    /// The position with these parts; nothing if they are none.
    fn from_parts(parts: &[&[u8]]) -> Option<Self>;

    /// The position as a text.
    fn to_text(&self) -> String {
        let mut bytes = vec![Self::TAG];
        for part in self.parts() {
            // Parts are rows' keys and numbers: far below 64 KiB.
            let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
            bytes.extend(length.to_be_bytes());
            bytes.extend(part);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a position.
    ///
    /// # Errors
    ///
    /// The text is not a position of this kind.
    fn from_text(text: &str) -> Result<Self, BadCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_text| BadCursor)?;
        let rest = bytes.strip_prefix(&[Self::TAG]).ok_or(BadCursor)?;
        let parts = split(rest).ok_or(BadCursor)?;
        Self::from_parts(&parts).ok_or(BadCursor)
    }
}

/// The text is not a cursor of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a cursor of this list; leave it out to start from the beginning")]
pub struct BadCursor;

fn split(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let (part, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        parts.push(part);
        bytes = rest;
    }
    bytes.is_empty().then_some(parts)
}

/// A number among the parts of a cursor.
pub(super) fn number(part: &[u8]) -> Option<u64> {
    part.try_into().ok().map(u64::from_be_bytes)
}
