//! What `_metadata` answers and takes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::present;

/// A mode in its two notations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModeView {
    /// Create, delete, write, read for owner, group and others, for example `cdwr--wr---r`.
    pub text: String,
    /// The same twelve bits, owner's first, for example 3889.
    pub bits: u16,
}

/// The metadata that governs a key or prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Metadata {
    /// The owning user; `null` when nobody owns it.
    pub owner: Option<Uuid>,
    /// The owning group; `null` when none does.
    pub group: Option<Uuid>,
    /// Who may do what.
    pub mode: ModeView,
    /// The default time to live of values written here, for example `1h`; `null` for none.
    pub ttl: Option<String>,
    /// When the key was first written, in Unix milliseconds; `null` without a value.
    pub created: Option<u64>,
    /// When the value was last written, in Unix milliseconds; `null` without a value.
    pub updated: Option<u64>,
    /// When the value expires, in Unix milliseconds; `null` for never.
    pub expires: Option<u64>,
    /// The identity of the value's current version; `null` without a value.
    pub uuid: Option<Uuid>,
    /// The key whose metadata this is: itself, an ancestor, or `null` for the default.
    pub governed_by: Option<String>,
}

/// The body of `PATCH` and `PUT` on `_metadata`: what to change, all of it optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MetadataPatch {
    /// The owning user.
    #[serde(default, skip_serializing_if = "Field::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Uuid>, required = false))]
    pub owner: Field<Uuid>,
    /// The owning group.
    #[serde(default, skip_serializing_if = "Field::is_keep")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Uuid>, required = false))]
    pub group: Field<Uuid>,
    /// Who may do what; it cannot be cleared, so `null` is refused.
    #[serde(default, deserialize_with = "present::some", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = ModeSetting, required = false))]
    pub mode: Option<ModeSetting>,
    /// The default time to live of values written here, for example `1h`.
    #[serde(default, skip_serializing_if = "Field::is_keep")]
    #[cfg_attr(
        feature = "openapi",
        schema(
            value_type = Option<String>,
            required = false,
            pattern = "^[1-9][0-9]{0,3}(s|m|h|d)$",
        )
    )]
    pub ttl: Field<String>,
}

/// A mode to set, in either notation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a mode is text like `cdwr--wr---r` or a number from 0 to 4095")]
pub enum ModeSetting {
    /// Twelve letters or dashes, for example `cdwr--wr---r`.
    Text(String),
    /// Twelve bits, 0 to 4095.
    Bits(u16),
}

/// What a partial update does to one field that may also be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// The field is not in the body: it stays as it is.
    #[default]
    Keep,
    /// The field is `null`: it becomes empty.
    Clear,
    /// The field has a value.
    Set(T),
}

impl<T> Field<T> {
    /// Whether the field stays as it is.
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep | Self::Clear => serializer.serialize_none(),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Clear, Self::Set))
    }
}
