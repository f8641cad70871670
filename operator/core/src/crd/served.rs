//! Whether the API server knows all that this operator does: who upgrades the operator and not the
//! CRDs would have new fields dropped without a word.

use serde_json::{Map, Value};

use super::definition::definitions;

/// The fields of all kinds that the API server does not know, such as `KvsCluster.spec.fenced`, by what it
/// answers at `/openapi/v3/apis/kvs.kalzu.dev/v1alpha1`.
pub fn unserved(document: &Value) -> Vec<String> {
    let mut lacking = Vec::new();
    for definition in definitions() {
        let kind = definition.spec.names.kind;
        let versions = definition.spec.versions.into_iter();
        let schemas = versions.filter_map(|version| version.schema?.open_api_v3_schema);
        for schema in schemas.filter_map(|schema| serde_json::to_value(schema).ok()) {
            compare(&kind, &schema, served(document, &kind), &mut lacking);
        }
    }
    lacking
}

/// The schema of a kind, in a document that names each by its group backwards, version and kind.
fn served<'a>(document: &'a Value, kind: &str) -> Option<&'a Value> {
    let name = format!("dev.kalzu.kvs.v1alpha1.{kind}");
    document.pointer("/components/schemas")?.get(name)
}

/// Adds what is missing, and nothing below that.
fn compare(path: &str, ours: &Value, theirs: Option<&Value>, lacking: &mut Vec<String>) {
    let Some(theirs) = theirs else { return lacking.push(path.to_owned()) };
    for (name, ours) in fields(ours) {
        compare(
            &format!("{path}.{name}"),
            ours,
            theirs.get("properties").and_then(|of| of.get(name)),
            lacking,
        );
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(ours) = ours.get(inner).filter(|ours| ours.is_object()) {
            compare(path, ours, theirs.get(inner), lacking);
        }
    }
}

fn fields(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What an API server answers that has our CRDs.
    fn document() -> Value {
        let mut schemas = json!({});
        for definition in definitions() {
            let schema = definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema;
            let name = format!("dev.kalzu.kvs.v1alpha1.{}", definition.spec.names.kind);
            schemas[name] = serde_json::to_value(schema).unwrap();
        }
        json!({ "components": { "schemas": schemas } })
    }

    fn remove(document: &mut Value, pointer: &str, name: &str) {
        let of =
            document.pointer_mut(&format!("/components/schemas/dev.kalzu.kvs.v1alpha1.{pointer}"));
        assert!(of.unwrap().as_object_mut().unwrap().remove(name).is_some());
    }

    #[test]
    fn where_all_is_known_nothing_is_lacking() {
        let mut served = document();
        assert_eq!(unserved(&served), Vec::<String>::new());
        // A newer one knows more.
        served["components"]["schemas"]["dev.kalzu.kvs.v1alpha1.KvsUser"]["properties"]["more"] =
            json!({});
        assert_eq!(unserved(&served), Vec::<String>::new());
    }

    #[test]
    fn what_an_older_definition_lacks_is_named_once() {
        let mut served = document();
        remove(&mut served, "KvsCluster/properties/spec/properties", "fenced");
        remove(
            &mut served,
            "KvsCluster/properties/spec/properties/bootstrap/properties",
            "fromBackup",
        );
        let of_members = "KvsCluster/properties/status/properties/members/items/properties";
        remove(&mut served, of_members, "node");
        let schemas = served["components"]["schemas"].as_object_mut().unwrap();
        schemas.remove("dev.kalzu.kvs.v1alpha1.KvsBackup");
        let mut lacking = unserved(&served);
        lacking.sort_unstable();
        assert_eq!(
            lacking,
            [
                "KvsBackup",
                "KvsCluster.spec.bootstrap.fromBackup",
                "KvsCluster.spec.fenced",
                "KvsCluster.status.members.node",
            ]
        );
        assert_eq!(unserved(&json!({})).len(), definitions().len());
    }
}
