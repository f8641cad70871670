//! What the records say, and their JSON.
//!
//! Every body is a JSON object whose `format` is [`FORMAT`]. Members that a build does not know are
//! passed over; a `format` that it does not know is an error.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::{KeyId, Name, Place, Revocation};
use crate::id::{GroupId, TokenId, UserId};
use crate::key::{Key, KeyError};
use crate::scope::ScopeSet;
use crate::stamp::{Stamp, UnixMillis};
use crate::token::UnixSeconds;

/// The format of bodies that this build writes, and the only one it reads.
pub const FORMAT: u64 = 1;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Who owns keys and is named by tokens. New for every user, also of a name that was used.
    pub id: UserId,
    /// What people call them.
    pub name: Name,
    /// What they may ask for, beside what their groups may.
    pub scopes: ScopeSet,
    /// Whether all their tokens are refused for now.
    pub disabled: bool,
    /// When they were made.
    pub created_at: UnixMillis,
}

/// A group of users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What keys name. New for every group, also of a name that was used.
    pub id: GroupId,
    /// What people call it.
    pub name: Name,
    /// What its members may ask for.
    pub scopes: ScopeSet,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// That a user is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The group.
    pub group: GroupId,
    /// The user.
    pub user: UserId,
}

/// What is known of a token: enough to list and to revoke it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its `jti`.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// Who made it.
    pub issued_by: UserId,
    /// What it may be used for, as far as its user may.
    pub scopes: ScopeSet,
    /// The key that signed it.
    pub kid: KeyId,
    /// When it was made.
    pub issued_at: UnixSeconds,
    /// When it ends, and its record with it.
    pub expires_at: UnixSeconds,
}

/// An Ed25519 key that tokens are signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// What tokens call it.
    pub kid: KeyId,
    /// The public key.
    #[serde(with = "Base64")]
    pub public: Vec<u8>,
    /// The private key, sealed with the cluster's secret. The first key has none here: it is in the
    /// cluster file.
    #[serde(with = "Base64Option", default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: UnixMillis,
}

impl SigningKey {
    /// Which key signs new tokens: of those that are not revoked and that every member of the cluster
    /// holds, as their stamps are not above its horizon, the newest. If there is none, as after a
    /// theft while a member was away, the newest that is not revoked: who has not heard of it yet
    /// believes nothing that it signs.
    pub fn choose<'a>(
        keys: impl IntoIterator<Item = (Stamp, &'a Self)>,
        horizon: Stamp,
        revoked: impl Fn(&KeyId) -> bool,
    ) -> Option<&'a Self> {
        keys.into_iter()
            .filter(|(_, key)| !revoked(&key.kid))
            .max_by_key(|(stamp, key)| (*stamp <= horizon, key.created_at, &key.kid))
            .map(|(_, key)| key)
    }
}

/// A record of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A user.
    User(User),
    /// A group.
    Group(Group),
    /// A membership.
    Membership(Membership),
    /// What is known of a token.
    Token(Token),
    /// A signing key.
    SigningKey(SigningKey),
    /// A revocation.
    Revocation(Revocation),
}

/// Why a record cannot be read or written.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Not the key of any record of accounts.
    #[error("{0} is not the key of a record of accounts")]
    Place(Key),
    /// Written by a later release.
    #[error("the record {key} has format {format}; this build reads {FORMAT}")]
    Format {
        /// The record.
        key: Key,
        /// Its format.
        format: u64,
    },
    /// Not the JSON of such a record.
    #[error("the record {key} is damaged")]
    Json {
        /// The record.
        key: Key,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The record of one thing under the key of another.
    #[error("the record {0} says to be another's")]
    Elsewhere(Key),
    /// Names and identifiers that make no key.
    #[error("the record has no key")]
    Key(#[from] KeyError),
}

#[derive(Serialize, Deserialize)]
struct Format {
    format: u64,
}

#[derive(Serialize)]
struct Written<'a, T> {
    format: u64,
    #[serde(flatten)]
    record: &'a T,
}

impl Record {
    /// Where the record lies.
    pub fn place(&self) -> Place {
        match self {
            Self::User(user) => Place::User(user.name.clone()),
            Self::Group(group) => Place::Group(group.name.clone()),
            Self::Membership(Membership { group, user }) => Place::Membership(*group, *user),
            Self::Token(token) => Place::Token(token.id),
            Self::SigningKey(key) => Place::SigningKey(key.kid.clone()),
            Self::Revocation(revocation) => Place::Revocation(revocation.clone()),
        }
    }

    /// When the record is written to expire.
    pub fn expires_at(&self) -> Option<UnixMillis> {
        match self {
            Self::Token(token) => Some(token.expires_at.millis()),
            Self::Revocation(revocation) => revocation.expires_at(),
            _ => None,
        }
    }
}

/// The key and the body of a record.
///
/// # Errors
///
/// None in practice: see [`Place::key`].
pub fn encode(record: &Record) -> Result<(Key, Vec<u8>), RecordError> {
    let key = record.place().key()?;
    let body = match record {
        Record::User(user) => write(user),
        Record::Group(group) => write(group),
        Record::Membership(membership) => write(membership),
        Record::Token(token) => write(token),
        Record::SigningKey(signing) => write(signing),
        Record::Revocation(_) => serde_json::to_vec(&Format { format: FORMAT }),
    };
    match body {
        Ok(body) => Ok((key, body)),
        Err(source) => Err(RecordError::Json { key, source }),
    }
}

/// The record under `key` whose body is `body`. Of a revocation, the body is not looked at.
///
/// # Errors
///
/// The key or the body are not those of a record, or not of the same.
pub fn decode(key: &Key, body: &[u8]) -> Result<Record, RecordError> {
    let place = Place::of(key).ok_or_else(|| RecordError::Place(key.clone()))?;
    let record = match &place {
        Place::User(_) => Record::User(read(key, body)?),
        Place::Group(_) => Record::Group(read(key, body)?),
        Place::Membership(..) => Record::Membership(read(key, body)?),
        Place::Token(_) => Record::Token(read(key, body)?),
        Place::SigningKey(_) => Record::SigningKey(read(key, body)?),
        Place::Revocation(revocation) => Record::Revocation(revocation.clone()),
    };
    if record.place() == place { Ok(record) } else { Err(RecordError::Elsewhere(key.clone())) }
}

fn write(record: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Written { format: FORMAT, record })
}

fn read<T: DeserializeOwned>(key: &Key, body: &[u8]) -> Result<T, RecordError> {
    let damaged = |source| RecordError::Json { key: key.clone(), source };
    let Format { format } = serde_json::from_slice(body).map_err(damaged)?;
    if format != FORMAT {
        return Err(RecordError::Format { key: key.clone(), format });
    }
    serde_json::from_slice(body).map_err(damaged)
}

/// Bytes as base64url.
struct Base64;

impl Base64 {
    fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        BASE64.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// Bytes as base64url, where there are any.
struct Base64Option;

impl Base64Option {
    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(|bytes| BASE64.encode(bytes)).serialize(to)
    }

    fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| BASE64.decode(text).map_err(D::Error::custom)).transpose()
    }
}
