//! The bytes of versions, on disk and between nodes.
//!
//! Formats 1 and 2 ([`Format`]). Integers are little-endian.
//!
//! | part | bytes | |
//! | --- | --- | --- |
//! | format | 1 | [`Format::number`] |
//! | *only in a row of `data`:* sequence | 8 | local commit sequence |
//! | revisions | 1 + 24 each | how many older versions are kept; stamp and uuid of each, newest first |
//! | flags | 1 | bits 0–1 body, then which optional parts follow |
//! | stamp, origin, joined, uuid | 8, 16, 8, 16 | |
//! | expires, owner, created | 8, 16, 8 | each only if its flag is set; created is the stamp's otherwise |
//! | body | the rest | see below |
//! | *only in format 2:* checksum | 4 | CRC-32C of everything from the flags to here |
//!
//! A value is its content type (length byte and text, unless JSON), its length (4 bytes, if it is a
//! zstd frame), then the bytes. Metadata is a byte of flags and the fields they name. A tombstone
//! is nothing. The checksum is made where a version is encoded and read whole versions are held
//! against it: it finds what changed in memory or on its way, where the disk's own checksums do not
//! look.
//!
//! Laws, each a property test: what was encoded decodes to itself; no bytes make decoding panic.

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use crate::format::Format;
use crate::id::{GroupId, NodeId, UserId, VersionId};
use crate::meta::Meta;
use crate::mode::Mode;
use crate::stamp::{Stamp, UnixMillis};
use crate::value::{ContentType, Data, Value};
use crate::version::{Body, BodyKind, Head, Origin, Version};

/// The most revisions that a row can name.
pub const MAX_REVISIONS: usize = 255;

/// Why bytes are not a version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Written by another release.
    #[error("format {found} is unknown; this build reads formats 1 to {}", Format::NEWEST.number())]
    Format {
        /// The format number found.
        found: u8,
    },
    /// The bytes end too early.
    #[error("cut short at byte {0}")]
    Short(usize),
    /// Something in it is not as it was written.
    #[error("its checksum is not that of its content")]
    Checksum,
    /// A field holds what it cannot hold.
    #[error("{0} is malformed")]
    Field(&'static str),
}

/// What a node keeps beside a version for itself; it never travels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// Position in this node's commit order.
    pub sequence: u64,
    /// The older versions kept in `revisions`, newest first.
    pub revisions: Vec<RevisionId>,
}

/// Names a row of `revisions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevisionId {
    /// The older version's stamp.
    pub stamp: Stamp,
    /// The older version's identity.
    pub uuid: VersionId,
}

mod flag {
    pub(super) const BODY: u8 = 0b11;
    pub(super) const META: u8 = 1;
    pub(super) const TOMBSTONE: u8 = 2;
    pub(super) const EXPIRES: u8 = 1 << 2;
    pub(super) const OWNER: u8 = 1 << 3;
    pub(super) const CREATED: u8 = 1 << 4;
    pub(super) const ZSTD: u8 = 1 << 5;
    pub(super) const CONTENT_TYPE: u8 = 1 << 6;
}

mod field {
    pub(super) const OWNER: u8 = 1;
    pub(super) const GROUP: u8 = 1 << 1;
    pub(super) const MODE: u8 = 1 << 2;
    pub(super) const TTL: u8 = 1 << 3;
}

/// Bytes of a checksum.
const CHECKSUM: usize = 4;

/// A version alone, as it lies in `revisions` and travels.
pub fn encode(version: &Version, format: Format) -> Vec<u8> {
    let mut out = vec![format.number()];
    encode_version(version, format, &mut out);
    out
}

/// A row of `data`: a version with what this node keeps beside it.
///
/// At most [`MAX_REVISIONS`] revisions are written; the oldest beyond are left out.
pub fn encode_row(local: &Local, version: &Version, format: Format) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + body_len(&version.body));
    out.push(format.number());
    out.extend(local.sequence.to_le_bytes());
    let kept = local.revisions.len().min(MAX_REVISIONS);
    out.push(u8::try_from(kept).unwrap_or(u8::MAX));
    for revision in &local.revisions[..kept] {
        out.extend(revision.stamp.bits().to_le_bytes());
        out.extend(revision.uuid.as_bytes());
    }
    encode_version(version, format, &mut out);
    out
}

/// The format that a version or a row of `data` is written in; nothing if this build does not know
/// it.
pub fn format_of(bytes: &[u8]) -> Option<Format> {
    bytes.first().copied().and_then(Format::of)
}

/// Reads a version alone. The body's bytes are shared with `bytes`, not copied.
///
/// # Errors
///
/// What is wrong with the bytes.
pub fn decode(bytes: &Bytes) -> Result<Version, DecodeError> {
    let mut reader = Reader::new(bytes)?;
    decode_version(&mut reader, bytes)
}

/// Reads a row of `data`. The body's bytes are shared with `bytes`, not copied.
///
/// # Errors
///
/// What is wrong with the bytes.
pub fn decode_row(bytes: &Bytes) -> Result<(Local, Version), DecodeError> {
    let mut reader = Reader::new(bytes)?;
    let local = decode_local(&mut reader)?;
    Ok((local, decode_version(&mut reader, bytes)?))
}

/// Reads a row of `data` without its body.
///
/// # Errors
///
/// What is wrong with the bytes before the body.
pub fn decode_row_head(bytes: &[u8]) -> Result<(Local, Head), DecodeError> {
    let mut reader = Reader::new(bytes)?;
    let local = decode_local(&mut reader)?;
    let (_, head) = decode_head(&mut reader)?;
    Ok((local, head))
}

/// The version within a row of `data`, as [`encode`] would have written it; nothing if the row is cut
/// short.
pub fn version_of_row(row: &[u8]) -> Option<Vec<u8>> {
    let kept = usize::from(*row.get(9)?);
    let version = row.get(10 + 24 * kept..)?;
    let mut out = Vec::with_capacity(1 + version.len());
    out.push(row[0]);
    out.extend(version);
    Some(out)
}

fn body_len(body: &Body) -> usize {
    match body {
        Body::Value(value) => value.stored_len() + value.content_type.as_str().len(),
        Body::Meta(_) => 48,
        Body::Tombstone => 0,
    }
}

fn encode_version(version: &Version, format: Format, out: &mut Vec<u8>) {
    let start = out.len();
    encode_fields(version, out);
    if format == Format::Two {
        let checksum = crc32c::crc32c(&out[start..]);
        out.extend(checksum.to_le_bytes());
    }
}

fn encode_fields(version: &Version, out: &mut Vec<u8>) {
    let created = version.created_at != version.stamp.millis();
    let optional = [
        (version.expires_at.is_some(), flag::EXPIRES),
        (version.owner.is_some(), flag::OWNER),
        (created, flag::CREATED),
    ];
    let set = |flags, (present, bit): (bool, u8)| if present { flags | bit } else { flags };
    out.push(optional.into_iter().fold(body_flags(&version.body), set));
    out.extend(version.stamp.bits().to_le_bytes());
    out.extend(version.origin.node.as_bytes());
    out.extend(version.origin.joined.0.to_le_bytes());
    out.extend(version.uuid.as_bytes());
    out.extend(version.expires_at.iter().flat_map(|at| at.0.to_le_bytes()));
    out.extend(version.owner.iter().flat_map(UserId::as_bytes));
    if created {
        out.extend(version.created_at.0.to_le_bytes());
    }
    encode_body(&version.body, out);
}

fn body_flags(body: &Body) -> u8 {
    match body {
        Body::Tombstone => flag::TOMBSTONE,
        Body::Meta(_) => flag::META,
        Body::Value(value) => {
            let typed = if value.content_type.is_json() { 0 } else { flag::CONTENT_TYPE };
            typed | if matches!(value.data, Data::Zstd { .. }) { flag::ZSTD } else { 0 }
        }
    }
}

fn encode_body(body: &Body, out: &mut Vec<u8>) {
    match body {
        Body::Tombstone => {}
        Body::Meta(meta) => encode_meta(meta, out),
        Body::Value(value) => encode_value(value, out),
    }
}

fn encode_value(value: &Value, out: &mut Vec<u8>) {
    if !value.content_type.is_json() {
        let text = value.content_type.as_str().as_bytes();
        out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        out.extend(&text[..text.len().min(usize::from(u8::MAX))]);
    }
    match &value.data {
        Data::Plain(bytes) => out.extend_from_slice(bytes),
        Data::Zstd { length, frame } => {
            out.extend(length.to_le_bytes());
            out.extend_from_slice(frame);
        }
    }
}

fn encode_meta(meta: &Meta, out: &mut Vec<u8>) {
    let fields = [
        (meta.owner.is_some(), field::OWNER),
        (meta.group.is_some(), field::GROUP),
        (meta.mode.is_some(), field::MODE),
        (meta.ttl.is_some(), field::TTL),
    ];
    out.push(fields.into_iter().filter(|(present, _)| *present).map(|(_, bit)| bit).sum());
    out.extend(meta.owner.iter().flat_map(UserId::as_bytes));
    out.extend(meta.group.iter().flat_map(GroupId::as_bytes));
    out.extend(meta.mode.iter().flat_map(|mode| mode.bits().to_le_bytes()));
    out.extend(meta.ttl.iter().flat_map(|ttl| whole_millis(*ttl).to_le_bytes()));
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn decode_local(reader: &mut Reader<'_>) -> Result<Local, DecodeError> {
    let sequence = reader.u64()?;
    let kept = reader.u8()?;
    let revision = |_| {
        Ok(RevisionId {
            stamp: Stamp::from_bits(reader.u64()?),
            uuid: VersionId::from_bytes(reader.array()?),
        })
    };
    let revisions = (0..kept).map(revision).collect::<Result<_, DecodeError>>()?;
    Ok(Local { sequence, revisions })
}

fn decode_head(reader: &mut Reader<'_>) -> Result<(u8, Head), DecodeError> {
    let flags = reader.u8()?;
    let body = match flags & flag::BODY {
        0 => BodyKind::Value,
        flag::META => BodyKind::Meta,
        flag::TOMBSTONE => BodyKind::Tombstone,
        _ => return Err(DecodeError::Field("the kind of body")),
    };
    let stamp = Stamp::from_bits(reader.u64()?);
    let node = NodeId::from_bytes(reader.array()?);
    let origin = Origin { node, joined: UnixMillis(reader.u64()?) };
    let uuid = VersionId::from_bytes(reader.array()?);
    let present = |bit| flags & bit != 0;
    let expires_at = present(flag::EXPIRES).then(|| reader.u64().map(UnixMillis)).transpose()?;
    let owner = present(flag::OWNER).then(|| reader.array().map(UserId::from_bytes)).transpose()?;
    let created = present(flag::CREATED).then(|| reader.u64().map(UnixMillis)).transpose()?;
    let created_at = created.unwrap_or(stamp.millis());
    Ok((flags, Version { stamp, origin, uuid, created_at, owner, expires_at, body }))
}

fn decode_version(reader: &mut Reader<'_>, bytes: &Bytes) -> Result<Version, DecodeError> {
    reader.check()?;
    let (flags, head) = decode_head(reader)?;
    let body = match head.body {
        BodyKind::Value => Body::Value(decode_value(flags, reader, bytes)?),
        BodyKind::Meta => Body::Meta(decode_meta(reader)?),
        BodyKind::Tombstone => Body::Tombstone,
    };
    let read_to_the_end = matches!(head.body, BodyKind::Value) || reader.at == reader.bytes.len();
    if read_to_the_end { Ok(head.with_body(body)) } else { Err(DecodeError::Field("the end")) }
}

fn decode_value(flags: u8, reader: &mut Reader<'_>, bytes: &Bytes) -> Result<Value, DecodeError> {
    let content_type = if flags & flag::CONTENT_TYPE == 0 {
        ContentType::JSON
    } else {
        decode_content_type(reader)?
    };
    let length = (flags & flag::ZSTD != 0).then(|| reader.u32()).transpose()?;
    let rest = bytes.slice(reader.at..reader.bytes.len());
    let data = match length {
        Some(length) => Data::Zstd { length, frame: rest },
        None => Data::Plain(rest),
    };
    Ok(Value { content_type, data })
}

fn decode_content_type(reader: &mut Reader<'_>) -> Result<ContentType, DecodeError> {
    let malformed = DecodeError::Field("the content type");
    let length = usize::from(reader.u8()?);
    let text = std::str::from_utf8(reader.take(length)?).map_err(|_bytes| malformed.clone())?;
    match ContentType::parse(text) {
        Ok(parsed) if !parsed.is_json() => Ok(parsed),
        _ => Err(malformed),
    }
}

fn decode_meta(reader: &mut Reader<'_>) -> Result<Meta, DecodeError> {
    let fields = reader.u8()?;
    let present = |bit| fields & bit != 0;
    if fields >= field::TTL << 1 {
        return Err(DecodeError::Field("the metadata's fields"));
    }
    let owner =
        present(field::OWNER).then(|| reader.array().map(UserId::from_bytes)).transpose()?;
    let group =
        present(field::GROUP).then(|| reader.array().map(GroupId::from_bytes)).transpose()?;
    let mode = present(field::MODE).then(|| reader.mode()).transpose()?;
    let ttl = present(field::TTL).then(|| reader.u64().map(Duration::from_millis)).transpose()?;
    Ok(Meta { owner, group, mode, ttl })
}

/// Takes fields off the front of a slice.
struct Reader<'a> {
    /// Without the checksum.
    bytes: &'a [u8],
    at: usize,
    checksum: Option<[u8; CHECKSUM]>,
}

impl<'a> Reader<'a> {
    /// Starts behind the format number, which must be one that is known.
    fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let found = *bytes.first().ok_or(DecodeError::Short(0))?;
        match Format::of(found).ok_or(DecodeError::Format { found })? {
            Format::One => Ok(Self { bytes, at: 1, checksum: None }),
            Format::Two => {
                let short = DecodeError::Short(bytes.len());
                let (bytes, checksum) = bytes.split_last_chunk().ok_or(short)?;
                Ok(Self { bytes, at: 1, checksum: Some(*checksum) })
            }
        }
    }

    /// Holds all that is left against the checksum.
    fn check(&self) -> Result<(), DecodeError> {
        let Some(checksum) = self.checksum else { return Ok(()) };
        let left = self.bytes.get(self.at..).ok_or(DecodeError::Short(self.bytes.len()))?;
        let fits = crc32c::crc32c(left) == u32::from_le_bytes(checksum);
        if fits { Ok(()) } else { Err(DecodeError::Checksum) }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let taken = self.bytes.get(self.at..self.at + count);
        let taken = taken.ok_or(DecodeError::Short(self.bytes.len()))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let short = DecodeError::Short(self.bytes.len());
        self.take(N)?.try_into().map_err(|_length| short)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    fn mode(&mut self) -> Result<Mode, DecodeError> {
        let bits = self.array().map(u16::from_le_bytes)?;
        Mode::from_bits(bits.into()).map_err(|_bits| DecodeError::Field("the mode"))
    }
}

#[cfg(test)]
mod tests;
