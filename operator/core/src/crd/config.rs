//! The nodes' settings, as a node's own table of settings describes them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::rule::rules;

/// Settings that follow from what the operator makes. They are not people's to choose.
const DECIDED: &[&str] = &[
    "node_id",
    "bind_address",
    "port",
    "data_dir",
    "clustering_enabled",
    "advertise_address",
    "seed_nodes",
    "cluster_file",
    "peer_port",
    "fenced",
    "tls",
    "peer_tls",
];

/// Where a schema has its rules.
const RULES: &str = "x-kubernetes-validations";
/// How long the text of a size or duration may be: the largest number of 64 bits, a unit, and zeros before. The API
/// server wants a bound to tell what a rule costs.
const QUANTITY_LENGTH: u8 = 32;

/// The nodes' settings, by their own names. Empty, all are as the node's defaults say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeConfig(pub Map<String, Value>);

impl NodeConfig {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the operator decides this setting.
    pub fn is_decided(name: &str) -> bool {
        DECIDED.contains(&name)
    }
}

impl JsonSchema for NodeConfig {
    fn schema_name() -> Cow<'static, str> {
        "NodeConfig".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let of_file = kvs_config::schema();
        let mut properties = of_file["properties"].as_object().cloned().unwrap_or_default();
        properties.retain(|name, _| !NodeConfig::is_decided(name));
        properties.values_mut().for_each(simplify);
        let text =
            "The nodes' settings, by the names that they have in a node's configuration file.";
        schemars::json_schema!({ "type": "object", "description": text, "properties": properties })
    }
}

/// Leaves what the API server takes. Defaults stay the node's: they may differ between its releases.
fn simplify(property: &mut Value) {
    let Value::Object(fields) = property else { return };
    quantity(fields);
    fields.retain(|name, _| {
        ["type", "description", "maxLength", RULES, "enum", "items", "properties", "oneOf"]
            .contains(&name.as_str())
    });
    one_type(fields);
    words(fields);
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(simplify);
    }
    if let Some(items) = fields.get_mut("items") {
        simplify(items);
    }
}

/// A pattern says to nobody what to write instead. A rule with the same pattern does.
fn quantity(fields: &mut Map<String, Value>) {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let (Some(pattern), Some(title)) = (text("pattern"), text("title")) else { return };
    let units = pattern.split_once('(').and_then(|(_, units)| units.split_once(')'));
    let units = units.map(|(units, _)| units.replace('|', ", ")).unwrap_or_default();
    let message = format!("write {title}: a whole number and its unit, one of {units}");
    let rule = rules(&[(&format!("self.matches('{pattern}')"), &message)]);
    fields.insert("maxLength".into(), json!(QUANTITY_LENGTH));
    fields.insert(RULES.into(), rule);
}

/// `null` for a setting without a value is written by leaving it out.
fn one_type(fields: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = fields.get("type") else { return };
    let first = types.iter().find(|one| *one != "null").cloned();
    fields.insert("type".into(), first.unwrap_or_else(|| json!("string")));
}

/// Words, each with a description of its own, become one list of words.
fn words(fields: &mut Map<String, Value>) {
    let Some(Value::Array(each)) = fields.remove("oneOf") else { return };
    let words: Vec<Value> = each.iter().filter_map(|one| one.get("const").cloned()).collect();
    fields.insert("type".into(), json!("string"));
    fields.insert("enum".into(), words.into());
}
