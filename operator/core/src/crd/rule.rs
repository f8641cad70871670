//! Rules that the API server checks, in CEL.

use serde_json::{Value, json};

/// What `x-kubernetes-validations` holds, from expressions and the messages of their failure.
pub(super) fn rules(of: &[(&str, &str)]) -> Value {
    of.iter().map(|(rule, message)| json!({ "rule": rule, "message": message })).collect()
}
