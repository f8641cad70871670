//! Versions on their way.

use std::io::Read;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{WireError, decode, encode};
use crate::codec;
use crate::key::RecordId;
use crate::version::Version;

/// The most bytes that a parcel may have once it is unpacked: the largest value that can be
/// configured, and room for what surrounds it.
pub const MAX_PARCEL: usize = 80 << 20;

/// Fewer bytes are not compressed: they hardly ever shrink.
const COMPRESS_FROM: usize = 512;
/// zstd's fastest usual level: the network between nodes is fast as well.
const LEVEL: i32 = 1;

/// A version on its way, as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The record, as on disk.
    pub record: Bytes,
    /// The version, as [`codec::encode`] writes it.
    pub version: Bytes,
}

/// Versions that travel together, compressed where that makes them fewer bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Bytes once unpacked; 0 if they are not compressed.
    unpacked: u32,
    bytes: Bytes,
}

impl Parcel {
    /// Packs versions.
    pub fn pack(versions: &[Sent]) -> Self {
        if versions.is_empty() {
            return Self::default();
        }
        let plain = encode(&versions);
        if plain.len() >= COMPRESS_FROM
            && let Ok(unpacked) = u32::try_from(plain.len())
            && let Ok(packed) = zstd::bulk::compress(&plain, LEVEL)
            && packed.len() < plain.len()
        {
            return Self { unpacked, bytes: packed.into() };
        }
        Self { unpacked: 0, bytes: plain.into() }
    }

    /// Unpacks them.
    ///
    /// # Errors
    ///
    /// The bytes are no parcel, or one of more than [`MAX_PARCEL`] bytes.
    pub fn unpack(&self) -> Result<Vec<Sent>, WireError> {
        if self.bytes.is_empty() {
            return Ok(Vec::new());
        }
        if self.unpacked == 0 {
            return decode("parcel", &self.bytes);
        }
        decode("parcel", &self.decompress()?)
    }

    /// The versions of this and then those of another, not compressed: they have arrived. Nothing if
    /// either cannot be unpacked.
    pub(super) fn with(&self, other: &Self) -> Option<Self> {
        if self.is_empty() || other.is_empty() {
            return Some(if self.is_empty() { other.clone() } else { self.clone() });
        }
        let mut all = self.unpack().ok()?;
        all.extend(other.unpack().ok()?);
        Some(Self { unpacked: 0, bytes: encode(&all).into() })
    }

    /// How many bytes travel.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn decompress(&self) -> Result<Vec<u8>, WireError> {
        let length = self.unpacked as usize;
        if length > MAX_PARCEL {
            return Err(WireError("parcel"));
        }
        let malformed = |_io| WireError("parcel");
        let decoder = zstd::Decoder::new(self.bytes.as_ref()).map_err(malformed)?;
        // What is announced is not allocated before it came.
        let mut plain = Vec::new();
        let read = decoder.take(length as u64 + 1).read_to_end(&mut plain).map_err(malformed)?;
        if read == length { Ok(plain) } else { Err(WireError("parcel")) }
    }
}

impl Sent {
    /// Reads record and version.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    pub fn open(&self) -> Result<(RecordId, Version), Unreadable> {
        let record = RecordId::decode(&self.record)?;
        Ok((record, codec::decode(&self.version)?))
    }

    /// Roughly how many bytes it takes.
    pub fn size(&self) -> usize {
        self.record.len() + self.version.len() + 8
    }
}

/// A version that arrived cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Its key cannot.
    #[error("its key: {0}")]
    Key(#[from] crate::key::KeyError),
    /// The version itself cannot.
    #[error(transparent)]
    Version(#[from] codec::DecodeError),
}
