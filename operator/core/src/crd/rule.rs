//! What schemas say beyond types: rules that the API server checks, in CEL, and how lists are merged.

use schemars::Schema;
use serde_json::{Value, json};

/// What `x-kubernetes-validations` holds, from expressions and the messages of their failure.
pub(super) fn rules(of: &[(&str, &str)]) -> Value {
    of.iter().map(|(rule, message)| json!({ "rule": rule, "message": message })).collect()
}

/// That a field stays as it is, or stays away.
pub(super) fn fixed(field: &str) -> String {
    format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == \
         oldSelf.{field})"
    )
}

/// A list of conditions is merged by their types.
pub(super) fn by_type(schema: &mut Schema) {
    schema.insert("x-kubernetes-list-type".to_owned(), json!("map"));
    schema.insert("x-kubernetes-list-map-keys".to_owned(), json!(["type"]));
}
