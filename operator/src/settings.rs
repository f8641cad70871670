//! The operator's own settings: flags, each also as a variable.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use clap::Parser;

/// Runs KvsClusters on Kubernetes.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub struct Settings {
    /// Namespaces to look after, with commas between them. Left out, all of them, which needs rights in
    /// all of them.
    #[arg(long, env = "KVS_OPERATOR_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,

    /// The image of nodes, where a `KvsCluster` names none.
    #[arg(long, env = "KVS_OPERATOR_NODE_IMAGE", default_value = concat!("kvs:", env!("CARGO_PKG_VERSION")))]
    pub node_image: String,

    /// The namespace that the operator runs in, where its lease is.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub namespace: String,

    /// Who this operator is among several: its pod's name.
    #[arg(long, env = "POD_NAME", default_value = "kvs-operator")]
    pub name: String,

    /// Where /livez, /readyz and /metrics are.
    #[arg(long, env = "KVS_OPERATOR_LISTEN", default_value = "0.0.0.0:8081")]
    pub listen: SocketAddr,

    /// What to log, as `info` or `kvs_operator=debug,info`.
    #[arg(long, env = "KVS_OPERATOR_LOG", default_value = "info")]
    pub log: String,

    /// Logs JSON, for collectors.
    #[arg(long, env = "KVS_OPERATOR_LOG_JSON")]
    pub log_json: bool,
}

impl Settings {
    /// The namespaces to look after, each once: two that look after one cluster would disturb it twice.
    /// Nothing stands for all of them.
    pub fn spaces(&self) -> BTreeSet<String> {
        let named: BTreeSet<String> =
            self.watch_namespaces.iter().map(|space| space.trim().to_owned()).collect();
        let all = named.is_empty() || named.contains("");
        if all { BTreeSet::from([String::new()]) } else { named }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaces(named: &str) -> Vec<String> {
        let settings = Settings::parse_from(["kvs-operator", "--watch-namespaces", named]);
        settings.spaces().into_iter().collect()
    }

    #[test]
    fn no_namespace_is_looked_after_twice() {
        assert_eq!(spaces("b,a,b, a"), ["a", "b"]);
        for all in ["", "a,", ",a"] {
            assert_eq!(spaces(all), [""], "{all:?}");
        }
    }
}
