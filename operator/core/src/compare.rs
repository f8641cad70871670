//! Whether an object is as it was asked for.
//!
//! Kubernetes fills defaults in and writes quantities its own way, and others may own fields that are
//! none of ours. So an object is right if every field that is wanted is there, and if it was last
//! applied from the same text: the second tells what is no longer wanted.

use serde_json::Value;

use crate::build::APPLIED;
use crate::quantity;

/// Whether `live` is what `wanted`, which must be [`crate::build::signed`], asks for.
pub fn is_so(wanted: &Value, live: &Value) -> bool {
    let hash = |object: &Value| object["metadata"]["annotations"][APPLIED].clone();
    hash(wanted) == hash(live) && has(wanted, live)
}

/// Whether everything in `wanted` is in `live`.
fn has(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            let in_live = |(name, value): (&String, &Value)| {
                live.get(name).map_or_else(|| is_empty(value), |live| has(value, live))
            };
            wanted.iter().all(in_live)
        }
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len()
                && wanted.iter().zip(live).all(|(one, other)| has(one, other))
        }
        (Value::String(wanted), Value::String(live)) => quantity::same(wanted, live),
        (wanted, live) => wanted == live,
    }
}

/// Kubernetes leaves out what is empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::build::signed;

    fn with(fields: &Value) -> Value {
        signed(json!({ "metadata": { "name": "a" }, "spec": fields }))
    }

    #[test]
    fn defaults_other_words_and_other_owners_change_nothing() {
        let wanted = with(&json!({ "size": "1024Mi", "ports": [{ "port": 1 }], "none": {} }));
        let mut live = wanted.clone();
        live["spec"] =
            json!({ "size": "1Gi", "ports": [{ "port": 1, "protocol": "TCP" }], "new": 1 });
        assert!(is_so(&wanted, &live));
    }

    #[test]
    fn what_was_changed_or_is_no_longer_wanted_is_noticed() {
        let wanted = with(&json!({ "ports": [1], "size": "1Gi" }));
        for fields in [
            json!({}),
            json!({ "ports": [1, 2], "size": "1Gi" }),
            json!({ "ports": [1], "size": "1G" }),
        ] {
            let mut live = wanted.clone();
            live["spec"] = fields;
            assert!(!is_so(&wanted, &live), "{live}");
        }
        let before = with(&json!({ "ports": [1], "size": "1Gi", "more": true }));
        assert!(!is_so(&wanted, &before));
    }
}
