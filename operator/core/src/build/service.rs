//! Services: for nodes, for clients, for each pod.

use serde_json::{Value, json};

use super::{Blueprint, merge};
use crate::crd::TlsMode;
use crate::names::{CLIENT_PORT, PEER_PORT};

/// The label of the one Service by which figures are fetched: each node is behind several, and is to be asked once. It
/// is the one that has every node, also those that are not ready.
const SCRAPED: &str = "kvs.kalzu.dev/scraped";

/// Nodes find each other by it, ready or not.
pub(super) fn peers(blueprint: &Blueprint<'_>) -> Value {
    let fields = json!({ "metadata": { "labels": { SCRAPED: "true" } }, "spec": {
        "clusterIP": "None",
        "publishNotReadyAddresses": true,
        "selector": blueprint.names.selector(),
        "ports": [
            client_port(),
            { "name": "peer", "port": PEER_PORT, "targetPort": "peer", "protocol": "TCP" },
            { "name": "gossip", "port": PEER_PORT, "targetPort": "gossip", "protocol": "UDP" },
        ],
    } });
    blueprint.object("v1", "Service", &blueprint.names.peers(), fields)
}

/// Clients reach those that are ready.
pub(super) fn clients(blueprint: &Blueprint<'_>) -> Value {
    service(blueprint, &blueprint.names.cluster, json!({}))
}

/// Clients that stay with one node reach it by this.
pub(super) fn of_pod(blueprint: &Blueprint<'_>, ordinal: u32) -> Value {
    let pod = blueprint.names.pod(ordinal);
    let selector = json!({ "statefulset.kubernetes.io/pod-name": pod });
    service(blueprint, &pod, json!({ "spec": { "selector": selector } }))
}

fn service(blueprint: &Blueprint<'_>, name: &str, more: Value) -> Value {
    let asked = &blueprint.cluster.spec.service;
    let mut fields = json!({ "spec": {
        "type": asked.kind.name(),
        "selector": blueprint.names.selector(),
        "ports": [client_port()],
    } });
    if !asked.annotations.is_empty() {
        fields["metadata"] = json!({ "annotations": asked.annotations });
    }
    merge(&mut fields, more);
    blueprint.object("v1", "Service", name, fields)
}

fn client_port() -> Value {
    json!({ "name": "client", "port": CLIENT_PORT, "targetPort": "client", "protocol": "TCP" })
}

/// What Prometheus' operator scrapes by.
pub(super) fn monitor(blueprint: &Blueprint<'_>) -> Value {
    let scheme = if blueprint.cluster.spec.tls.mode == TlsMode::Off { "http" } else { "https" };
    let mut which = json!(blueprint.names.selector());
    which[SCRAPED] = json!("true");
    let fields = json!({ "spec": {
        "selector": { "matchLabels": which },
        "endpoints": [{ "port": "client", "path": "/metrics", "scheme": scheme }],
    } });
    blueprint.object("monitoring.coreos.com/v1", "ServiceMonitor", &blueprint.names.cluster, fields)
}
