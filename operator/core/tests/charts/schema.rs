//! The schema of the values of `kvs-cluster`: the spec's, made strict, and a table of it for people.

use kvs_operator_core::crd::{KvsClusterSpec, definition};
use serde_json::{Map, Value, json};

use super::{check, json as read_json, yaml};

/// Values that are not the spec's.
const OWN: [(&str, &str, &str); 3] = [
    ("name", "string", "The cluster's name; empty, the release's."),
    ("labels", "object", "Labels of the KvsCluster."),
    ("annotations", "object", "Annotations of the KvsCluster."),
];

fn spec() -> Value {
    let definition = serde_json::to_value(definition()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// What JSON schema knows of it, without what only an API server does; nothing unknown is let through.
fn strict(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    let mut made = Map::new();
    for (name, value) in fields {
        let value = match name.as_str() {
            "properties" => {
                let properties = value.as_object().unwrap().iter();
                properties.map(|(name, of)| (name.clone(), strict(of))).collect()
            }
            "items" | "additionalProperties" => strict(value),
            "nullable" | "format" => continue,
            name if name.starts_with("x-kubernetes-") => continue,
            _ => value.clone(),
        };
        made.insert(name.clone(), value);
    }
    if made.contains_key("properties") {
        made.entry("additionalProperties").or_insert(json!(false));
    }
    if fields.get("x-kubernetes-int-or-string").is_some() {
        made.insert("type".into(), json!(["integer", "string"]));
    }
    Value::Object(made)
}

fn schema() -> Value {
    let mut schema = strict(&spec());
    for (name, kind, text) in OWN {
        let mut own = json!({ "type": kind, "description": text });
        if kind == "object" {
            own["additionalProperties"] = json!({ "type": "string" });
        } else {
            own["pattern"] = json!("^([a-z]([-a-z0-9]{0,38}[a-z0-9])?)?$");
        }
        schema["properties"][name] = own;
    }
    schema["properties"]["global"] = json!({ "type": "object" });
    schema["$schema"] = json!("https://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Values of kvs-cluster");
    schema
}

#[test]
fn generated_schema_of_a_clusters_values_is_committed() {
    let text = serde_json::to_string_pretty(&schema()).unwrap();
    check("kvs-cluster/values.schema.json", &format!("{text}\n"));
}

#[test]
fn generated_readme_of_a_cluster_lists_every_value() {
    let mut table = String::new();
    for (name, kind, text) in OWN {
        table += &row(name, &json!({ "type": kind, "description": text }));
    }
    rows(&spec(), "", &mut table);
    let text = format!("{HEAD}{table}");
    check("kvs-cluster/README.md", &text);
}

const HEAD: &str = "# kvs-cluster

A cluster of KVS nodes. Needs the operator of the chart `kvs-operator`, which knows the kind KvsCluster.

```sh
helm install db charts/kvs-cluster --set storage.size=20Gi
kubectl wait kvs/db --for=condition=Converged --timeout=2m
```

Uninstalling deletes the KvsCluster; its disks and identity stay unless `storage.retain` is `Delete`, and a
cluster of the same name finds them again.

## Values

Made from the kind's schema by `make manifests`. `kubectl explain kvs.spec` has the rest.

| value | type | default | meaning |
| --- | --- | --- | --- |
";

/// Down to the fields of groups; what is Kubernetes' own is described there.
fn rows(schema: &Value, prefix: &str, table: &mut String) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, of) in properties {
        let path = format!("{prefix}{name}");
        *table += &row(&path, of);
        let own = !matches!(name.as_str(), "affinity" | "resources" | "config");
        if own && prefix.is_empty() {
            rows(of, &format!("{path}."), table);
        }
        if name == "config" {
            rows(of, "config.", table);
        }
    }
}

fn row(path: &str, of: &Value) -> String {
    let line =
        |text: &Value| text.as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
    let default = match &of["default"] {
        Value::Null => String::new(),
        default => format!("`{default}`"),
    };
    let kind = match of["enum"].as_array() {
        Some(words) => {
            words.iter().map(|word| format!("`{}`", line(word))).collect::<Vec<_>>().join(", ")
        }
        None => line(&of["type"]),
    };
    format!("| `{path}` | {kind} | {default} | {} |\n", line(&of["description"]))
}

#[test]
fn the_values_that_come_with_the_chart_are_the_kinds_defaults_and_a_size() {
    let mut values = yaml("kvs-cluster/values.yaml");
    for (name, ..) in OWN {
        assert!(values.as_object_mut().unwrap().remove(name).is_some(), "{name}");
    }
    let known = read_json("kvs-cluster/values.schema.json");
    for name in values.as_object().unwrap().keys() {
        assert!(known["properties"].get(name).is_some(), "{name}");
    }
    let spec: KvsClusterSpec = serde_json::from_value(values).unwrap();
    let least = json!({ "storage": { "size": "10Gi" } });
    assert_eq!(spec, serde_json::from_value::<KvsClusterSpec>(least).unwrap());
}

#[test]
fn nothing_unknown_is_let_through() {
    fn walk(schema: &Value, path: &str) {
        if let Some(properties) = schema["properties"].as_object() {
            assert!(schema["additionalProperties"].is_boolean(), "{path}");
            properties.iter().for_each(|(name, of)| walk(of, &format!("{path}.{name}")));
        }
        if schema["items"].is_object() {
            walk(&schema["items"], path);
        }
    }
    walk(&read_json("kvs-cluster/values.schema.json"), "");
    walk(&read_json("kvs-operator/values.schema.json"), "");
}
