//! What nodes take over while they run, and who of them is held down: in a `ConfigMap` that changes.

use std::collections::BTreeSet;

use kvs_config::may_be_live;
use serde_json::{Map, Value, json};

use super::{Blueprint, config};
use crate::names::Names;
use crate::observed::Ordinal;

/// The name of the file with what nodes take over while they run.
pub(super) const FILE: &str = "live.yaml";
/// The setting that names those who are held down.
const FENCED: &str = "fenced";

/// What nodes take over while they run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// Settings, as people chose them.
    pub settings: Map<String, Value>,
    /// Nodes that open nothing when they start.
    pub held: BTreeSet<Ordinal>,
}

impl Live {
    /// Reads the `ConfigMap`. One that nobody wrote says nothing.
    pub fn read(map: &Value, names: &Names) -> Self {
        let text = map["data"][FILE].as_str().unwrap_or_default();
        let mut settings: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let fenced = settings.remove(FENCED).unwrap_or_default();
        let fenced = fenced.as_array().into_iter().flatten().filter_map(Value::as_str);
        let held = fenced.filter_map(|name| names.ordinal(name)).collect();
        Self { settings, held }
    }
}

impl Blueprint<'_> {
    /// The settings among those that are asked for that nodes take over while they run. Whether a node
    /// takes them is not looked at.
    pub fn live_settings(&self) -> Map<String, Value> {
        let mut settings = self.cluster.spec.config.0.clone();
        settings.retain(|name, _| may_be_live(name));
        settings
    }

    /// The `ConfigMap` of what nodes take over while they run.
    pub fn live_map(&self, live: &Live) -> Value {
        let mut settings = live.settings.clone();
        let held: Vec<_> = live.held.iter().map(|ordinal| self.names.pod(*ordinal)).collect();
        settings.insert(FENCED.into(), json!(held));
        let fields = json!({ "data": { FILE: config::file(&settings) } });
        self.object("v1", "ConfigMap", &self.names.live(), fields)
    }
}
