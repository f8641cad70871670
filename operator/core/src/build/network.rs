//! Who may reach the pods, and how many may be away at once.

use serde_json::{Value, json};

use super::Blueprint;
use crate::names::{CLIENT_PORT, MANAGER, PEER_PORT};

/// One may be away. A pod that does not serve anyway may always go, or no machine could be emptied.
pub(super) fn budget(blueprint: &Blueprint<'_>) -> Value {
    let fields = json!({ "spec": {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": { "matchLabels": blueprint.names.selector() },
    } });
    blueprint.object("policy/v1", "PodDisruptionBudget", &blueprint.names.cluster, fields)
}

/// Clients may come from anywhere, to the clients' port; to the nodes' port only nodes and the
/// operator. Nodes speak to nodes and ask for names; where backups go to a bucket, or issuers say who callers
/// are, to these, too, and to the API server where it is asked about tokens.
pub(super) fn policy(blueprint: &Blueprint<'_>) -> Value {
    let nodes = json!({ "podSelector": { "matchLabels": blueprint.names.selector() } });
    let operator = json!({
        "namespaceSelector": {
            "matchLabels": { "kubernetes.io/metadata.name": blueprint.site.namespace },
        },
        "podSelector": { "matchLabels": { "app.kubernetes.io/name": MANAGER } },
    });
    let port = |port: u16, protocol: &str| json!({ "port": port, "protocol": protocol });
    let between = [port(PEER_PORT, "TCP"), port(PEER_PORT, "UDP")];
    let mut egress = vec![
        json!({ "to": [nodes], "ports": between }),
        json!({ "ports": [port(53, "UDP"), port(53, "TCP")] }),
    ];
    let config = &blueprint.cluster.spec.config.0;
    let target = config.get("backup_target").and_then(Value::as_str);
    let issuers = config.get("oidc").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let bucket = target.is_some_and(|target| target.starts_with("s3://"));
    if bucket || issuers {
        egress.push(json!({ "ports": [{ "protocol": "TCP" }] }));
    }
    if blueprint.asks_api_server() {
        // Its address is behind a Service, and policies see only what is behind it.
        egress.push(json!({ "ports": [port(443, "TCP"), port(6443, "TCP")] }));
    }
    let fields = json!({ "spec": {
        "podSelector": { "matchLabels": blueprint.names.selector() },
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            { "ports": [port(CLIENT_PORT, "TCP")] },
            { "from": [nodes], "ports": between },
            { "from": [operator], "ports": [port(PEER_PORT, "TCP")] },
        ],
        "egress": egress,
    } });
    let name = &blueprint.names.cluster;
    blueprint.object("networking.k8s.io/v1", "NetworkPolicy", name, fields)
}
