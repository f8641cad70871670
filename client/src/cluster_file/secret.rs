//! Secrets that print as dots.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One secret of the ring.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    pub(super) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A key that signs tokens: the seed of an Ed25519 key, and the name that tokens know it by.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    id: String,
    seed: [u8; 32],
}

impl SigningKey {
    /// The key of this seed; its name tells nothing about it.
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { id: super::derive::key_id(&seed), seed }
    }

    pub(super) const fn named(id: String, seed: [u8; 32]) -> Self {
        Self { id, seed }
    }

    /// The name, `kid` in tokens.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The seed: keep it as secret as the file.
    pub const fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

pub(super) fn encode(bytes: &[u8; 32]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a text, or why it is none; the text itself is not repeated.
pub(super) fn decode(text: &str) -> Result<[u8; 32], String> {
    let bytes = STANDARD.decode(text).map_err(|_repeats_it| "is not base64".to_owned())?;
    let length = bytes.len();
    bytes.try_into().map_err(|_bytes| format!("is base64 of {length} bytes; 32 are wanted"))
}
