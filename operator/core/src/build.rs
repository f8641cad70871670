//! The objects that a cluster is made of, from what is asked for.
//!
//! Objects are JSON as it is applied: what is left out is Kubernetes' or somebody else's to choose. A
//! test reads each of them as the type of the oldest supported release, which keeps newer fields and
//! misspelt ones out.

mod config;
mod identity;
mod live;
mod network;
mod pod;
mod restore;
mod service;
mod set;
mod template;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::crd::KvsCluster;
use crate::names::Names;

pub use self::config::{Config, Refused};
pub use self::live::Live;
pub use self::set::stateful_set;
pub use self::template::{Kept, Template};

/// The annotation of everything that is applied: a hash of what was, so that what is no longer wanted
/// is noticed.
pub const APPLIED: &str = "kvs.kalzu.dev/applied";

/// Where the operator runs, as far as objects depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The image of nodes where the spec names none.
    pub image: String,
    /// The operator's own namespace.
    pub namespace: String,
    /// Whether the cluster knows `ServiceMonitor`.
    pub monitors: bool,
}

/// A cluster that objects are made for.
#[derive(Clone, Debug)]
pub struct Blueprint<'a> {
    /// What is asked for.
    pub cluster: &'a KvsCluster,
    /// The names.
    pub names: Names,
    /// Where the operator runs.
    pub site: &'a Site,
}

impl<'a> Blueprint<'a> {
    /// The blueprint of a cluster.
    pub fn new(cluster: &'a KvsCluster, site: &'a Site) -> Self {
        let metadata = &cluster.metadata;
        let name = metadata.name.clone().unwrap_or_default();
        let names = Names::new(name, metadata.namespace.clone().unwrap_or_default());
        Self { cluster, names, site }
    }

    /// All objects but the identity, the configuration, the template and the `StatefulSet`. None of
    /// them depends on what is there; `pods` is how many the `StatefulSet` has.
    pub fn surroundings(&self, pods: u32) -> Vec<Value> {
        let mut objects = vec![
            self.object(
                "v1",
                "ServiceAccount",
                &self.names.cluster,
                json!({
                    "automountServiceAccountToken": false,
                }),
            ),
            service::peers(self),
            service::clients(self),
            network::budget(self),
        ];
        if self.cluster.spec.network_policy {
            objects.push(network::policy(self));
        }
        if self.cluster.spec.service.per_pod {
            objects.extend((0..pods).map(|ordinal| service::of_pod(self, ordinal)));
        }
        if self.cluster.spec.monitoring && self.site.monitors {
            objects.push(service::monitor(self));
        }
        objects
    }

    /// An object of ours with these fields beside its metadata.
    fn object(&self, version: &str, kind: &str, name: &str, fields: Value) -> Value {
        let mut object = json!({
            "apiVersion": version,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self.names.namespace,
                "labels": self.names.labels(),
                "ownerReferences": [self.owner()],
            },
        });
        merge(&mut object, fields);
        object
    }

    /// What makes Kubernetes delete an object with its `KvsCluster`.
    pub fn owner(&self) -> Value {
        json!({
            "apiVersion": "kvs.kalzu.dev/v1alpha1",
            "kind": "KvsCluster",
            "name": self.names.cluster,
            "uid": self.cluster.metadata.uid.clone().unwrap_or_default(),
            "controller": true,
            "blockOwnerDeletion": true,
        })
    }
}

/// The object with a hash of itself, as it is applied.
pub fn signed(mut object: Value) -> Value {
    let hash = hash(&object);
    merge(&mut object, json!({ "metadata": { "annotations": { APPLIED: hash } } }));
    object
}

/// A short hash of a value. Names of members are sorted, so equal values have equal hashes.
pub fn hash(value: &Value) -> String {
    let digest = blake3::hash(sorted(value).to_string().as_bytes());
    digest.to_hex().chars().take(10).collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().collect();
            pairs.sort_by_key(|(name, _)| *name);
            pairs.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Adds members; objects into objects, anything else in place of what is there.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert_with(|| Value::Object(Map::new())), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// A value of Kubernetes' own types as JSON.
fn plain(value: &impl serde::Serialize) -> Value {
    // Plain structs: nothing in them can fail to be written.
    serde_json::to_value(value).unwrap_or_default()
}
