//! What users, groups and signing keys are called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most bytes a name may have: twice the longest e-mail local part, and a `ServiceAccount` fits.
pub const MAX_NAME: usize = 128;

/// The most bytes the id of a signing key may have, as in the cluster file.
pub const MAX_KEY_ID: usize = 64;

/// The name of a user or a group. As ASCII it has no letters that only look alike; upper and lower
/// case differ, since outside identities may.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Name(Box<str>);

/// Why a text is not a name, or not a key's id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Too few or too many bytes.
    #[error("a name has 1 to {MAX_NAME} characters, this one has {0}")]
    Length(usize),
    /// A character that no name has, or one that no name begins with.
    #[error(
        "the name {0:?} holds {1:?} where it may not; a name is of ASCII letters, digits and \
         . - _ @ : +, and begins with a letter or digit"
    )]
    Character(String, char),
    /// Not a key's id.
    #[error("{0:?} is no key id; that is 1 to {MAX_KEY_ID} ASCII letters and digits")]
    KeyId(String),
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name of this program's own, which its tests show to be one.
    pub(super) fn known(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !(1..=MAX_NAME).contains(&text.len()) {
            return Err(NameError::Length(text.len()));
        }
        let fine = |(at, character): &(usize, char)| {
            character.is_ascii_alphanumeric() || *at > 0 && ".-_@:+".contains(*character)
        };
        match text.char_indices().find(|indexed| !fine(indexed)) {
            Some((_, character)) => Err(NameError::Character(text.to_owned(), character)),
            None => Ok(Self(text.into())),
        }
    }
}

/// What a signing key is called in the header of tokens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KeyId(Box<str>);

impl KeyId {
    /// The id of no key: none has an empty one.
    pub fn none() -> Self {
        Self(Box::default())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = (1..=MAX_KEY_ID).contains(&text.len());
        if length && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text.into()))
        } else {
            Err(NameError::KeyId(text.to_owned()))
        }
    }
}

macro_rules! text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0.into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}

text!(Name);
text!(KeyId);
