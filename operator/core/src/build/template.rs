//! Which template is in force: a newer operator leaves running pods alone.

use serde_json::{Map, Value, json};

use super::{Blueprint, Config, hash};
use crate::crd::ADOPT;

/// What pods are made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The pods' template.
    pub pod: Value,
    /// The configuration that it names.
    pub config: Config,
    /// Its hash.
    pub hash: String,
    /// A hash of what people asked for, by which it is known when it must be made anew.
    pub asked: String,
}

/// What is in force, and what this operator would rather have.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// What is in force.
    pub template: Template,
    /// The hash of the template that this operator makes of the same spec, if it is another one.
    pub newer: Option<String>,
}

/// Parts of a spec that pods do not depend on.
const ELSEWHERE: &[&str] = &[
    "replicas",
    "mode",
    "forget",
    "fenced",
    "storage",
    "bootstrap",
    "service",
    "rollout",
    "networkPolicy",
    "monitoring",
];

impl Blueprint<'_> {
    /// The template that this operator makes of the spec.
    pub fn template(&self, config: Config) -> Template {
        let pod = self.pod(&config);
        let hash = hash(&pod);
        Template { pod, config, hash, asked: self.asked(true) }
    }

    /// What is in force: what is kept, until something else is asked for or the newer one is adopted.
    pub fn in_force(&self, rendered: Template, kept: Option<Template>) -> Kept {
        let adopted = self.cluster.metadata.annotations.as_ref().and_then(|all| all.get(ADOPT));
        let is_asked = |kept: &Template| kept.asked == self.asked(self.reads_live(&kept.pod));
        match kept.filter(|kept| is_asked(kept) && kept.hash != rendered.hash) {
            Some(kept) if adopted != Some(&rendered.hash) => {
                Kept { newer: Some(rendered.hash), template: kept }
            }
            _ => Kept { template: rendered, newer: None },
        }
    }

    /// Whether pods of a template take settings over while they run. To those of an older operator's each
    /// setting comes with a restart.
    fn reads_live(&self, pod: &Value) -> bool {
        let live = self.names.live();
        let volumes = pod["spec"]["volumes"].as_array();
        volumes.into_iter().flatten().any(|volume| volume["configMap"]["name"] == json!(live))
    }

    /// A hash of what pods depend on, with or without what they take over while they run.
    pub(super) fn asked(&self, reads_live: bool) -> String {
        let mut spec = super::plain(&self.cluster.spec);
        if let Value::Object(fields) = &mut spec {
            fields.retain(|name, _| !ELSEWHERE.contains(&name.as_str()));
            if reads_live {
                drop_live(fields);
            }
        }
        hash(&spec)
    }

    /// The `ConfigMap` that keeps the template in force.
    pub fn template_map(&self, template: &Template) -> Value {
        let data = json!({
            "asked": template.asked,
            "hash": template.hash,
            "pod.json": template.pod.to_string(),
            "config.yaml": template.config.text,
            "config": template.config.name,
        });
        self.object("v1", "ConfigMap", &self.names.template(), json!({ "data": data }))
    }
}

/// Takes out what nodes take over while they run.
fn drop_live(spec: &mut Map<String, Value>) {
    if let Some(Value::Object(config)) = spec.get_mut("config") {
        config.retain(|name, _| !kvs_config::may_be_live(name));
        if config.is_empty() {
            spec.remove("config");
        }
    }
}

impl Template {
    /// Reads a template from the `ConfigMap` that keeps it; nothing if that is not one.
    pub fn read(map: &Value) -> Option<Self> {
        let data = map.get("data")?;
        let text = |name: &str| Some(data.get(name)?.as_str()?.to_owned());
        let pod: Value = serde_json::from_str(&text("pod.json")?).ok()?;
        let config = Config { text: text("config.yaml")?, name: text("config")? };
        let template = Self { hash: text("hash")?, asked: text("asked")?, config, pod };
        (hash(&template.pod) == template.hash).then_some(template)
    }
}
