//! JSON texts, the patch behind the target with a NUL between: what is accepted is JSON and nothing
//! else is, white space goes without changing the meaning, and a merge patch does what RFC 7396
//! says, which is written out below over parsed values.
#![no_main]

use kvs_core::json;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// The node's default.
const DEPTH: usize = 128;

fuzz_target!(|data: &[u8]| {
    let mut texts = data.splitn(2, |byte| *byte == 0);
    let Some(target) = checked(texts.next().unwrap_or_default()) else { return };
    assert_eq!(parsed(&json::compact(target)), parsed(target));

    let Some(patch) = texts.next().and_then(checked) else { return };
    let Ok(merged) = json::merge_patch(Some(target), patch) else { return };
    let (Some(target), Some(patch)) = (parsed(target), parsed(patch)) else { return };
    assert_eq!(parsed(merged.get()), Some(model(target, patch)));
});

/// The text if it is accepted, which it is if it is JSON.
fn checked(bytes: &[u8]) -> Option<&str> {
    let checked = json::check(bytes, DEPTH);
    if serde_json::from_slice::<Value>(bytes).is_ok() {
        assert_eq!(checked.as_ref().map(|text| text.as_bytes()), Ok(bytes));
    }
    checked.ok()
}

/// Nothing for what the parser of this model has no room for: numbers beyond a double, depth 128.
fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn model(target: Value, patch: Value) -> Value {
    let Value::Object(changes) = patch else { return patch };
    let mut members = match target {
        Value::Object(members) => members,
        _ => serde_json::Map::new(),
    };
    for (name, change) in changes {
        let old = members.remove(&name).unwrap_or_default();
        if !change.is_null() {
            members.insert(name, model(old, change));
        }
    }
    Value::Object(members)
}
