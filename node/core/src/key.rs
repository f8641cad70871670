//! Keys: `/`-separated paths, checked once at the edge.
//!
//! On disk `/` is 0x01 and a NUL ends the key. Neither can occur within a segment, so byte order is
//! path order and everything below a prefix is one contiguous range: `a`, `a/b`, `a-b`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use thiserror::Error;

/// The most bytes of UTF-8 a key may have, percent-decoded.
pub const MAX_BYTES: usize = 1024;
/// The most segments a key may have.
pub const MAX_SEGMENTS: usize = 64;
/// The first segment of the system's own records.
pub const SYSTEM: &str = "_system";

/// Stands for `/` on disk: smaller than every byte a segment may hold.
const SEPARATOR: u8 = 0x01;
/// Ends a key on disk.
const END: u8 = 0x00;

/// A key. Every value of this type obeys the rules of one of its constructors.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(Box<str>);

/// Why a text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// No segment at all.
    #[error("the key is empty; it has 1 to {MAX_SEGMENTS} segments separated by '/'")]
    Empty,
    /// Too many bytes.
    #[error("the key has {0} bytes; at most {MAX_BYTES} are allowed")]
    TooLong(usize),
    /// Too many segments.
    #[error("the key has {0} segments; at most {MAX_SEGMENTS} are allowed")]
    TooManySegments(usize),
    /// `a//b`.
    #[error("segment {0} of the key is empty; write single slashes between segments")]
    EmptySegment(usize),
    /// `a/b/`.
    #[error("the key ends with a slash; leave it out")]
    TrailingSlash,
    /// `.` or `..`.
    #[error("segment {0} of the key is {1:?}; '.' and '..' are not allowed as segments")]
    DotSegment(usize, String),
    /// NUL, line feed and the like.
    #[error("segment {0} of the key holds the control character U+{1:04X}; none is allowed")]
    Control(usize, u32),
    /// A name that begins with `_`.
    #[error("segment {0} of the key is {1:?}; names that begin with '_' are the system's")]
    Reserved(usize, String),
    /// `_system/…` from a client.
    #[error("keys under _system are the system's own records and are not served here")]
    System,
    /// `%2F` within a segment.
    #[error("segment {0} of the key holds an encoded slash (%2F); segments cannot hold slashes")]
    EncodedSlash(usize),
    /// `%` without two hexadecimal digits.
    #[error("segment {0} of the key holds a '%' that two hexadecimal digits do not follow")]
    BadEscape(usize),
    /// Bytes that are not UTF-8.
    #[error("segment {0} of the key is not UTF-8 once percent-decoded")]
    NotUtf8(usize),
    /// Bytes on disk that no key encodes to.
    #[error("stored bytes that are not a key's encoding")]
    BadEncoding,
}

/// Which names a key may use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Clients,
    System,
}

impl Key {
    /// A client's key from its decoded text.
    ///
    /// # Errors
    ///
    /// The rule that the text breaks.
    pub fn client(text: &str) -> Result<Self, KeyError> {
        check(text, Names::Clients)?;
        Ok(Self(text.into()))
    }

    /// A key of the system's own records, `_system/…`.
    ///
    /// # Errors
    ///
    /// The rule that the text breaks.
    pub fn system(text: &str) -> Result<Self, KeyError> {
        check(text, Names::System)?;
        Ok(Self(text.into()))
    }

    /// A client's key from the path of a URL: split at `/` first, then percent-decoded once.
    ///
    /// # Errors
    ///
    /// The rule that the path breaks.
    pub fn from_url_path(path: &str) -> Result<Self, KeyError> {
        match decode_path(path)? {
            Cow::Borrowed(text) => Self::client(text),
            Cow::Owned(text) => {
                check(&text, Names::Clients)?;
                Ok(Self(text.into()))
            }
        }
    }

    /// The key as a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, outermost first.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether this is one of the system's own records.
    pub fn is_system(&self) -> bool {
        self.segments().next() == Some(SYSTEM)
    }

    /// The prefixes above the key, nearest first, without the root.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        self.0.rmatch_indices('/').map(|(at, _)| Self(self.0[..at].into()))
    }

    /// Appends the key as it lies on disk, with its ending NUL.
    pub fn encode_into(&self, row: &mut Vec<u8>) {
        encode_path(&self.0, row);
        row.push(END);
    }

    /// Reads a key that begins `row`, and says how many bytes it took with its NUL.
    ///
    /// # Errors
    ///
    /// [`KeyError::BadEncoding`], or the rule that the decoded text breaks.
    pub fn decode(row: &[u8]) -> Result<(Self, usize), KeyError> {
        let end = row.iter().position(|byte| *byte == END).ok_or(KeyError::BadEncoding)?;
        let path = row[..end].iter().map(|byte| if *byte == SEPARATOR { b'/' } else { *byte });
        if row[..end].contains(&b'/') {
            return Err(KeyError::BadEncoding);
        }
        let text = String::from_utf8(path.collect()).map_err(|_bytes| KeyError::BadEncoding)?;
        check(&text, Names::System)?;
        Ok((Self(text.into()), end + 1))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0)
    }
}

impl FromStr for Key {
    type Err = KeyError;

    /// As [`Key::client`].
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::client(text)
    }
}

/// The two kinds of record that a key can have, each with versions of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// What a client stored, or one of the system's records.
    Value = 1,
    /// Owner, group, mode and default TTL.
    Meta = 2,
}

impl Kind {
    /// The kind that `byte` stands for on disk.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Value),
            2 => Some(Self::Meta),
            _ => None,
        }
    }
}

/// A record: what versions are versions of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordId {
    /// Value or metadata.
    pub kind: Kind,
    /// Of which key.
    pub key: Key,
}

impl RecordId {
    /// The value stored under `key`.
    pub const fn value(key: Key) -> Self {
        Self { kind: Kind::Value, key }
    }

    /// The metadata of `key`.
    pub const fn meta(key: Key) -> Self {
        Self { kind: Kind::Meta, key }
    }

    /// Appends the record as it lies on disk: the kind, then the key.
    pub fn encode_into(&self, row: &mut Vec<u8>) {
        row.push(self.kind as u8);
        self.key.encode_into(row);
    }

    /// The record as it lies on disk.
    pub fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(self.key.0.len() + 2);
        self.encode_into(&mut row);
        row
    }

    /// Reads a record that is the whole of `row`.
    ///
    /// # Errors
    ///
    /// [`KeyError::BadEncoding`] when it is not.
    pub fn decode(row: &[u8]) -> Result<Self, KeyError> {
        let (kind, rest) = row.split_first().ok_or(KeyError::BadEncoding)?;
        let kind = Kind::from_byte(*kind).ok_or(KeyError::BadEncoding)?;
        match Key::decode(rest)? {
            (key, used) if used == rest.len() => Ok(Self { kind, key }),
            _ => Err(KeyError::BadEncoding),
        }
    }
}

/// A point in the tree of keys that one can list below: the root, or a key (written or not).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// Everything.
    Root,
    /// Everything below a key.
    Under(Key),
}

impl Prefix {
    /// The prefix as a path, empty for the root.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Root => "",
            Self::Under(key) => key.as_str(),
        }
    }

    /// How many segments the prefix has.
    pub fn depth(&self) -> usize {
        match self {
            Self::Root => 0,
            Self::Under(key) => key.segments().count(),
        }
    }

    /// Whether `key` lies below (the prefix itself does not).
    pub fn covers(&self, key: &Key) -> bool {
        match self {
            Self::Root => true,
            Self::Under(above) => {
                key.0.strip_prefix(&*above.0).is_some_and(|rest| rest.starts_with('/'))
            }
        }
    }

    /// The rows of `kind` below the prefix, as a half-open range.
    pub fn range(&self, kind: Kind) -> (Vec<u8>, Vec<u8>) {
        let mut start = vec![kind as u8];
        if let Self::Under(key) = self {
            encode_path(&key.0, &mut start);
            start.push(SEPARATOR);
        }
        let mut end = start.clone();
        // No row ends in 0xff: the last byte here is a kind or a separator.
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        (start, end)
    }
}

fn encode_path(path: &str, row: &mut Vec<u8>) {
    row.extend(path.bytes().map(|byte| if byte == b'/' { SEPARATOR } else { byte }));
}

/// Percent-decodes each segment of a URL path; borrows where there is nothing to decode.
fn decode_path(path: &str) -> Result<Cow<'_, str>, KeyError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if !path.contains('%') {
        return Ok(Cow::Borrowed(path));
    }
    let segments: Vec<_> = path
        .split('/')
        .enumerate()
        .map(|(at, raw)| decode_segment(at, raw))
        .collect::<Result<_, _>>()?;
    Ok(Cow::Owned(segments.join("/")))
}

fn decode_segment(index: usize, raw: &str) -> Result<Cow<'_, str>, KeyError> {
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = raw.as_bytes();
    for (at, _) in raw.match_indices('%') {
        if !hex(bytes.get(at + 1)) || !hex(bytes.get(at + 2)) {
            return Err(KeyError::BadEscape(index + 1));
        }
    }
    let decoded =
        percent_decode_str(raw).decode_utf8().map_err(|_not| KeyError::NotUtf8(index + 1))?;
    // A slash that was not there before decoding was an encoded one.
    if decoded.contains('/') {
        return Err(KeyError::EncodedSlash(index + 1));
    }
    Ok(decoded)
}

fn check(text: &str, names: Names) -> Result<(), KeyError> {
    if text.is_empty() {
        return Err(KeyError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(KeyError::TooLong(text.len()));
    }
    if text.len() > 1 && text.ends_with('/') && !text.ends_with("//") {
        return Err(KeyError::TrailingSlash);
    }
    if names == Names::Clients && text.split('/').next() == Some(SYSTEM) {
        return Err(KeyError::System);
    }
    let mut count = 0;
    for segment in text.split('/') {
        count += 1;
        check_segment(count, segment, names)?;
    }
    if count > MAX_SEGMENTS { Err(KeyError::TooManySegments(count)) } else { Ok(()) }
}

fn check_segment(index: usize, segment: &str, names: Names) -> Result<(), KeyError> {
    let reserved = || Err(KeyError::Reserved(index, segment.to_owned()));
    match segment {
        "" => Err(KeyError::EmptySegment(index)),
        "." | ".." => Err(KeyError::DotSegment(index, segment.to_owned())),
        SYSTEM if names == Names::System && index == 1 => Ok(()),
        _ if segment.starts_with('_') => reserved(),
        _ => match segment.chars().find(|character| character.is_control()) {
            Some(character) => Err(KeyError::Control(index, character.into())),
            None => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests;
