//! What we ask of a JSON text, and what we do to one. Texts are stored byte for byte as they were
//! sent: nothing here reprints what it was not told to change.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;
use thiserror::Error;

/// Why bytes are not a JSON text that is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// Not UTF-8.
    #[error("not UTF-8 at byte {0}; JSON is UTF-8")]
    NotUtf8(usize),
    /// Arrays and objects within each other beyond the limit.
    #[error("nested more than {limit} deep")]
    TooDeep {
        /// The deepest nesting that is accepted.
        limit: usize,
    },
    /// Not JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
}

/// Checks that `bytes` are one JSON text nested at most `limit` deep (a scalar has depth 0).
///
/// # Errors
///
/// What is wrong, and where.
pub fn check(bytes: &[u8], limit: usize) -> Result<&str, JsonError> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| JsonError::NotUtf8(error.valid_up_to()))?;
    // Depth first: what reads the text later may recurse.
    if deeper_than(bytes, limit) {
        return Err(JsonError::TooDeep { limit });
    }
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|error| JsonError::Syntax(error.to_string()))?;
    Ok(text)
}

fn deeper_than(bytes: &[u8], limit: usize) -> bool {
    let mut depth = 0usize;
    for byte in outside_strings(bytes) {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

/// The bytes that are not within string literals.
fn outside_strings(bytes: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut strings = Strings::default();
    bytes.iter().copied().filter(move |byte| !strings.hold(*byte))
}

/// Follows a text and knows which bytes belong to string literals (quotes included).
#[derive(Default)]
struct Strings {
    inside: bool,
    escaped: bool,
}

impl Strings {
    fn hold(&mut self, byte: u8) -> bool {
        let held = self.inside || byte == b'"';
        match byte {
            b'"' if !self.escaped => self.inside = !self.inside,
            b'\\' if self.inside && !self.escaped => {
                self.escaped = true;
                return held;
            }
            _ => {}
        }
        self.escaped = false;
        held
    }
}

/// The text without white space between its tokens: for formats of one line an item.
pub fn compact(text: &str) -> Cow<'_, str> {
    let blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    if !text.bytes().any(blank) {
        return Cow::Borrowed(text);
    }
    let mut strings = Strings::default();
    Cow::Owned(
        text.chars()
            .filter(|character| {
                // A character beyond ASCII stands within strings alone; any byte of it will do.
                let byte = u8::try_from(*character).unwrap_or(b'x');
                strings.hold(byte) || !blank(byte)
            })
            .collect(),
    )
}

/// A merge patch cannot be applied: a member's name in it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot be patched: {0}")]
pub struct PatchError(String);

/// Applies a JSON merge patch (RFC 7396). Members that the patch does not name keep their bytes and
/// their order. Both texts must have passed [`check`].
///
/// # Errors
///
/// A member's name holds a lone surrogate, which no patch can name.
pub fn merge_patch(target: Option<&str>, patch: &str) -> Result<Box<RawValue>, PatchError> {
    if !is_object(patch) {
        return raw(patch);
    }
    let mut members = match target.filter(|text| is_object(text)) {
        Some(text) => parse(text)?,
        None => Members::default(),
    };
    for (name, change) in parse::<Members>(patch)?.entries.into_iter().flatten() {
        if change.get() == "null" {
            members.remove(&name);
        } else {
            let merged = merge_patch(members.get(&name), change.get())?;
            members.set(name, merged);
        }
    }
    serde_json::value::to_raw_value(&members).map_err(|error| PatchError(error.to_string()))
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

fn raw(text: &str) -> Result<Box<RawValue>, PatchError> {
    parse(text)
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, PatchError> {
    serde_json::from_str(text).map_err(|error| PatchError(error.to_string()))
}

/// An object's members in order, each value as it was sent. Of several members of one name the last
/// counts.
#[derive(Default)]
struct Members {
    entries: Vec<Option<(String, Box<RawValue>)>>,
    index: HashMap<String, usize>,
}

impl Members {
    fn get(&self, name: &str) -> Option<&str> {
        let entry = self.entries[*self.index.get(name)?].as_ref();
        entry.map(|(_, value)| value.get())
    }

    fn set(&mut self, name: String, value: Box<RawValue>) {
        if let Some(at) = self.index.get(&name) {
            self.entries[*at] = Some((name, value));
        } else {
            self.index.insert(name.clone(), self.entries.len());
            self.entries.push(Some((name, value)));
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(at) = self.index.remove(name) {
            self.entries[at] = None;
        }
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry()? {
                    members.set(name, value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

impl serde::Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.entries.iter().flatten() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-c\"\\\\ \n\t\u{0}é]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// RFC 7396, section 2, as it is written there.
    fn model(target: &Value, patch: &Value) -> Value {
        let Value::Object(changes) = patch else { return patch.clone() };
        let mut object = target.as_object().cloned().unwrap_or_default();
        for (name, change) in changes {
            if change.is_null() {
                object.remove(name);
            } else {
                let merged = model(object.get(name).unwrap_or(&Value::Null), change);
                object.insert(name.clone(), merged);
            }
        }
        Value::Object(object)
    }

    proptest! {
        #[test]
        fn a_merge_patch_does_what_the_rfc_says(target in any_json(), patch in any_json()) {
            let merged = merge_patch(Some(&target.to_string()), &patch.to_string()).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(merged.get()).unwrap(), model(&target, &patch));
        }

        #[test]
        fn compacting_changes_white_space_alone(value in any_json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty), value.to_string());
        }

        #[test]
        fn any_bytes_are_json_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let ours = check(&bytes, 128).is_ok();
            let theirs = serde_json::from_slice::<Box<RawValue>>(&bytes).is_ok();
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn what_a_patch_does_not_name_keeps_its_bytes() {
        let target = r#"{"b": 1.00, "a": {"x" : 1e400, "y":2}, "z": "é"}"#;
        let merged = merge_patch(Some(target), r#"{"a":{"y":null,"w": 3 }}"#).unwrap();
        assert_eq!(merged.get(), r#"{"b":1.00,"a":{"x":1e400,"w":3},"z":"é"}"#);
    }

    #[test]
    fn nulls_of_a_patch_on_nothing_are_dropped() {
        let merged = merge_patch(None, r#"{"a":{"b":null,"c":1}}"#).unwrap();
        assert_eq!(serde_json::from_str::<Value>(merged.get()).unwrap(), json!({"a": {"c": 1}}));
    }

    #[test]
    fn the_deepest_nesting_is_accepted_and_one_more_is_not() {
        let nested = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check(nested(128).as_bytes(), 128).is_ok());
        let over = nested(129);
        assert_eq!(check(over.as_bytes(), 128), Err(JsonError::TooDeep { limit: 128 }));
        assert!(check(br#"["[[[", "\"[["]"#, 1).is_ok());
    }

    #[test]
    fn garbage_is_named_with_its_place() {
        let syntax = check(b"{\"a\":}", 9).unwrap_err();
        assert_eq!(syntax.to_string(), "not JSON: expected value at line 1 column 6");
        assert_eq!(check(b"\"\xff\"", 9), Err(JsonError::NotUtf8(1)));
        assert!(check(b"", 9).is_err());
        assert!(check(b"1 2", 9).is_err());
    }
}
