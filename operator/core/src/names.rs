//! Names and labels of what is made for a cluster.

use std::collections::BTreeMap;

/// The field manager of everything that the operator applies.
pub const MANAGER: &str = "kvs-operator";
/// Most nodes of a cluster, as the schema has it: what has a higher number is none of its own.
pub const MOST: u32 = 100;
/// Longest name of a cluster, so that every name made from it fits into 63 characters.
pub const LONGEST: usize = 40;

/// The annotation of a StatefulSet: the hash of the pod template that it was given.
pub const TEMPLATE: &str = "kvs.kalzu.dev/template";
/// The annotation of a claim: the id of the node whose data is on it.
pub const NODE: &str = "kvs.kalzu.dev/node";
/// The annotation of a claim whose node has left the cluster: its id.
pub const DECOMMISSIONED: &str = "kvs.kalzu.dev/decommissioned";

/// The annotation of a claim that begins with a backup: how far that is. And of the pod that brings it back:
/// the uid of that claim.
pub const RESTORE: &str = "kvs.kalzu.dev/restore";

/// The key of the cluster file in the identity Secret.
pub const CLUSTER_FILE: &str = "cluster.kvs";
/// The port for clients.
pub const CLIENT_PORT: u16 = 8080;
/// The port for nodes and the operator.
pub const PEER_PORT: u16 = 9080;

/// A cluster's name, from which all others are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The cluster's own.
    pub cluster: String,
    /// Where it is.
    pub namespace: String,
}

impl Names {
    /// The names of a cluster.
    pub fn new(cluster: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), namespace: namespace.into() }
    }

    /// The pod of an ordinal, which is also the name that its node goes by.
    pub fn pod(&self, ordinal: u32) -> String {
        format!("{}-{ordinal}", self.cluster)
    }

    /// The ordinal of a pod.
    pub fn ordinal(&self, pod: &str) -> Option<u32> {
        let ordinal = pod.strip_prefix(&self.cluster)?.strip_prefix('-')?;
        let number = ordinal.parse().ok()?;
        (number < MOST && self.pod(number) == pod).then_some(number)
    }

    /// The claim of an ordinal.
    pub fn claim(&self, ordinal: u32) -> String {
        format!("data-{}", self.pod(ordinal))
    }

    /// The ordinal of a claim.
    pub fn claim_ordinal(&self, claim: &str) -> Option<u32> {
        self.ordinal(claim.strip_prefix("data-")?)
    }

    /// The Service by which nodes find each other.
    pub fn peers(&self) -> String {
        format!("{}-peers", self.cluster)
    }

    /// The Secret with the cluster file, if people do not bring their own.
    pub fn identity(&self) -> String {
        format!("{}-identity", self.cluster)
    }

    /// The configuration of this content.
    pub fn config(&self, hash: &str) -> String {
        format!("{}-config-{hash}", self.cluster)
    }

    /// The `ConfigMap` with what nodes take over while they run.
    pub fn live(&self) -> String {
        format!("{}-live", self.cluster)
    }

    /// The pod template that is in force.
    pub fn template(&self) -> String {
        format!("{}-template", self.cluster)
    }

    /// The pod that brings a backup back.
    pub fn restorer(&self) -> String {
        format!("{}-restore", self.cluster)
    }

    /// Where clients reach the cluster, from within Kubernetes.
    pub fn endpoint(&self, tls: bool) -> String {
        let scheme = if tls { "https" } else { "http" };
        format!("{scheme}://{}.{}.svc:{CLIENT_PORT}", self.cluster, self.namespace)
    }

    /// What selects the pods and nothing else.
    pub fn selector(&self) -> BTreeMap<String, String> {
        [("app.kubernetes.io/name", "kvs"), ("app.kubernetes.io/component", "node")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .chain([("app.kubernetes.io/instance".to_owned(), self.cluster.clone())])
            .collect()
    }

    /// The labels of everything that is made.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.selector();
        labels.insert("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned());
        labels
    }

    /// The selector as one text.
    pub fn selector_text(&self) -> String {
        let pairs = self.selector().into_iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_clusters_own_pods_and_claims_have_an_ordinal() {
        let names = Names::new("db", "default");
        assert_eq!((names.ordinal("db-0"), names.ordinal("db-99")), (Some(0), Some(99)));
        assert_eq!(names.claim_ordinal("data-db-12"), Some(12));
        for pod in ["db", "db-", "db-x", "db-01", "db-+1", "dbx-1", "db-a-1", "db--1", "db-100"] {
            assert_eq!(names.ordinal(pod), None, "{pod}");
        }
        assert_eq!(names.claim_ordinal("db-1"), None);
    }

    #[test]
    fn every_name_fits() {
        let names = Names::new("a".repeat(LONGEST), "default");
        let hash = "0123456789";
        let restorer = names.restorer();
        for name in [names.claim(99), names.peers(), names.config(hash), names.template(), restorer]
        {
            assert!(name.len() <= 63, "{name}");
        }
        // The label that Kubernetes gives pods: name, hyphen, ten digits.
        assert!(names.pod(99).len() + 11 <= 63);
    }
}
