//! The nodes' configuration: a file in a `ConfigMap` that never changes (another content, another name).

use std::iter;
use std::path::Path;

use kvs_config::{ConfigError, Files, Settings, may_be_live};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{Blueprint, hash};
use crate::crd::{NodeConfig, TlsMode};
use crate::names::{CLIENT_PORT, CLUSTER_FILE, PEER_PORT};

/// Seconds that a node takes to close, at most, once its clients are gone.
const CLOSING: u64 = 15;

/// The settings are not ones that a node takes. Nothing is changed by them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// A setting that is not people's to choose.
    #[error("{0} is decided by the operator; leave it out")]
    Decided(String),
    /// What a node would say of it.
    #[error(transparent)]
    Wrong(#[from] ConfigError),
}

/// The nodes' configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file.
    pub text: String,
    /// The name of the `ConfigMap` that has it.
    pub name: String,
}

impl Config {
    /// Seconds from SIGTERM to SIGKILL: to part from clients, to answer them, and to close.
    pub(super) fn grace(&self) -> u64 {
        let settings = read(&self.text).unwrap_or_default();
        let clients = settings.drain_delay.as_millis() + settings.drain_timeout.as_millis();
        clients.div_ceil(1_000) + CLOSING
    }
}

/// Settings, as a file has them.
pub(super) fn file(settings: &Map<String, Value>) -> String {
    serde_json::to_string_pretty(settings).unwrap_or_default() + "\n"
}

fn read(text: &str) -> Result<Settings, ConfigError> {
    let main = Some((Path::new("spec.config"), text));
    Ok(kvs_config::load(Files { main, live: None }, iter::empty(), iter::empty())?.settings)
}

/// What is another default in a pod: whoever sends it requests hears only after a while that it goes.
fn preset() -> Map<String, Value> {
    Map::from_iter([("drain_delay".to_owned(), json!("5s"))])
}

impl Blueprint<'_> {
    /// The nodes' configuration, as a node reads it.
    ///
    /// # Errors
    ///
    /// A node would not take it; all that is wrong with it.
    pub fn config(&self) -> Result<Config, Refused> {
        let asked = &self.cluster.spec.config.0;
        if let Some(name) = asked.keys().find(|name| NodeConfig::is_decided(name)) {
            return Err(Refused::Decided(name.clone()));
        }
        let mut settings = preset();
        settings.extend(asked.clone());
        settings.extend(self.decided());
        read(&file(&settings))?;
        settings.retain(|name, _| !may_be_live(name));
        let text = file(&settings);
        let name = self.names.config(&hash(&json!(text)));
        Ok(Config { text, name })
    }

    /// The `ConfigMap` of a configuration.
    pub fn config_map(&self, config: &Config) -> Value {
        let fields = json!({ "immutable": true, "data": { "config.yaml": config.text } });
        self.object("v1", "ConfigMap", &config.name, fields)
    }

    fn decided(&self) -> Map<String, Value> {
        let seed = format!("{}.{}.svc:{CLIENT_PORT}", self.names.peers(), self.names.namespace);
        let mut settings = json!({
            "bind_address": "0.0.0.0",
            "port": CLIENT_PORT,
            "peer_port": PEER_PORT,
            "data_dir": "/data/kvs",
            "cluster_file": format!("/etc/kvs/identity/{CLUSTER_FILE}"),
            "seed_nodes": [seed],
        });
        if self.cluster.spec.tls.mode == TlsMode::Secret {
            settings["tls"] =
                json!({ "cert_file": "/etc/kvs/tls/tls.crt", "key_file": "/etc/kvs/tls/tls.key" });
        }
        settings.as_object().cloned().unwrap_or_default()
    }
}
