//! What a client stored: bytes with their content type, compressed where that is smaller.

use std::cell::RefCell;
use std::io;

use bytes::Bytes;
use thiserror::Error;
use zstd::bulk::{Compressor, Decompressor};

/// Bodies shorter than this are not tried: a zstd frame costs 9 to 18 bytes, so hardly any of them
/// shrinks, and the store compresses whole blocks of them later.
pub const MIN_COMPRESSED: usize = 512;

/// The most bytes that a compressed value may have, twice the largest that any node accepts: a
/// damaged length must not make a reader ask for gigabytes.
pub const MAX_COMPRESSED: usize = 128 << 20;

/// The most bytes that the content type's text may have.
pub const MAX_CONTENT_TYPE: usize = 255;

/// A media type, `application/json` unless the client said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType(Option<Box<str>>);

/// The text is not a media type that a header could carry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "content type {0:?} is malformed; it is type/subtype with visible ASCII characters, at most \
     {MAX_CONTENT_TYPE}"
)]
pub struct BadContentType(pub String);

impl ContentType {
    /// `application/json`: what is stored without a name of its own.
    pub const JSON: Self = Self(None);

    /// The media type that `text` names. `application/json` with or without parameters is
    /// [`Self::JSON`].
    ///
    /// # Errors
    ///
    /// The text is not `type/subtype` in visible ASCII of bounded length.
    pub fn parse(text: &str) -> Result<Self, BadContentType> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            return Ok(Self::JSON);
        }
        let token = |part: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&byte);
            !part.is_empty() && part.bytes().all(allowed)
        };
        let visible = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        match essence.split_once('/') {
            Some((kind, subtype))
                if token(kind) && token(subtype) && visible && text.len() <= MAX_CONTENT_TYPE =>
            {
                Ok(Self(Some(text.into())))
            }
            _ => Err(BadContentType(text.to_owned())),
        }
    }

    /// Whether the bytes are JSON.
    pub const fn is_json(&self) -> bool {
        self.0.is_none()
    }

    /// The media type as a header carries it.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("application/json")
    }
}

/// A stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// What the bytes are.
    pub content_type: ContentType,
    pub(crate) data: Data,
}

/// The bytes as they lie on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Plain(Bytes),
    Zstd { length: u32, frame: Bytes },
}

/// A compressed value does not decompress to what its header says.
#[derive(Debug, Error)]
#[error("a stored value does not decompress")]
pub struct Damaged(#[source] io::Error);

thread_local! {
    // A zstd context takes longer to set up than a small value takes to compress.
    static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

impl Value {
    /// A value that is stored as it is.
    pub const fn plain(content_type: ContentType, bytes: Bytes) -> Self {
        Self { content_type, data: Data::Plain(bytes) }
    }

    /// A value that is stored as a zstd frame of `level` where that is smaller.
    pub fn compressed(content_type: ContentType, bytes: Bytes, level: i32) -> Self {
        let worth_it = (MIN_COMPRESSED..=MAX_COMPRESSED).contains(&bytes.len());
        let data = match (worth_it, u32::try_from(bytes.len())) {
            (true, Ok(length)) => match compress(&bytes, level) {
                Ok(frame) if frame.len() < bytes.len() => {
                    Data::Zstd { length, frame: frame.into() }
                }
                _ => Data::Plain(bytes),
            },
            _ => Data::Plain(bytes),
        };
        Self { content_type, data }
    }

    /// How many bytes the client stored.
    pub fn len(&self) -> usize {
        match &self.data {
            Data::Plain(bytes) => bytes.len(),
            Data::Zstd { length, .. } => *length as usize,
        }
    }

    /// Whether the client stored no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes lie on disk.
    pub fn stored_len(&self) -> usize {
        match &self.data {
            Data::Plain(bytes) | Data::Zstd { frame: bytes, .. } => bytes.len(),
        }
    }

    /// The bytes as the client sent them.
    ///
    /// # Errors
    ///
    /// The frame is damaged.
    pub fn bytes(&self) -> Result<Bytes, Damaged> {
        match &self.data {
            Data::Plain(bytes) => Ok(bytes.clone()),
            Data::Zstd { length, frame } => {
                let length = *length as usize;
                if length > MAX_COMPRESSED {
                    return Err(Damaged(io::Error::other("the header's length is out of range")));
                }
                let bytes = decompress(frame, length).map_err(Damaged)?;
                if bytes.len() != length {
                    return Err(Damaged(io::Error::other("length differs from the header's")));
                }
                Ok(bytes.into())
            }
        }
    }
}

fn compress(bytes: &[u8], level: i32) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|cached| {
        if cached.as_ref().is_none_or(|(of, _)| *of != level) {
            *cached = Some((level, Compressor::new(level)?));
        }
        match cached {
            Some((_, compressor)) => compressor.compress(bytes),
            None => Err(io::Error::other("no compressor")),
        }
    })
}

fn decompress(frame: &[u8], length: usize) -> io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|cached| {
        if cached.is_none() {
            *cached = Some(Decompressor::new()?);
        }
        match cached {
            Some(decompressor) => decompressor.decompress(frame, length),
            None => Err(io::Error::other("no decompressor")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_shrink_is_stored_as_it_is() {
        let noise: Vec<u8> =
            (0u32..2000).map(|n| (blake3::hash(&n.to_le_bytes())).as_bytes()[0]).collect();
        let value = Value::compressed(ContentType::JSON, noise.clone().into(), 3);
        assert!(matches!(value.data, Data::Plain(_)));
        assert_eq!(value.bytes().unwrap(), noise);
    }

    #[test]
    fn a_value_that_shrinks_comes_back_whole() {
        let text = Bytes::from("tick tock ".repeat(100));
        let value = Value::compressed(ContentType::JSON, text.clone(), 3);
        assert!(value.stored_len() < text.len() / 10);
        assert_eq!(value.len(), text.len());
        assert_eq!(value.bytes().unwrap(), text);
    }

    #[test]
    fn a_damaged_frame_is_an_error() {
        let value = Value::compressed(ContentType::JSON, "a".repeat(1000).into(), 3);
        let Data::Zstd { length, frame } = value.data else { panic!("compressed") };
        for (length, frame) in
            [(length, frame.slice(1..)), (length + 1, frame.clone()), (length - 1, frame)]
        {
            let damaged =
                Value { content_type: ContentType::JSON, data: Data::Zstd { length, frame } };
            assert!(damaged.bytes().is_err());
        }
    }

    #[test]
    fn content_types_are_told_apart() {
        assert!(ContentType::parse("application/json; charset=utf-8").unwrap().is_json());
        assert_eq!(
            ContentType::parse("text/plain; charset=utf-8").unwrap().as_str(),
            "text/plain; charset=utf-8"
        );
        for text in ["", "text", "/", "text/", "te xt/plain", "text/pläin", "text/plain\n"] {
            assert_eq!(ContentType::parse(text), Err(BadContentType(text.to_owned())));
        }
        let longest = format!("text/{}", "x".repeat(MAX_CONTENT_TYPE - 5));
        assert!(ContentType::parse(&longest).is_ok());
        assert!(ContentType::parse(&format!("{longest}x")).is_err());
    }
}
