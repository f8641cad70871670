//! Telling a field that is `null` from a field that is not there.

use serde::{Deserialize, Deserializer};

/// Reads a field that is present, even when it is `null`, as `Some`; with `#[serde(default)]` an
/// absent one is `None`. A stored `null` is a value, and must not read as none.
pub(super) fn some<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
