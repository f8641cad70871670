//! The pods' template.

use serde_json::{Value, json};

use super::{Blueprint, Config, live, merge, plain};
use crate::crd::TlsMode;
use crate::names::{CLIENT_PORT, PEER_PORT};

/// Nobody in particular: the user of the image.
const USER: i64 = 65_532;
/// Read by the owner and the group, which Kubernetes makes the pod's.
const SECRET_MODE: i32 = 0o440;

/// As whom a pod runs, so that a `restricted` namespace takes it.
pub(super) fn user() -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

pub(super) fn mount(name: &str, path: &str) -> Value {
    json!({ "name": name, "mountPath": path, "readOnly": true })
}

/// A volume with what is in a Secret.
pub(super) fn secret(name: &str, secret: &str) -> Value {
    json!({ "name": name, "secret": { "secretName": secret, "defaultMode": SECRET_MODE } })
}

impl Blueprint<'_> {
    /// The template of pods with this configuration.
    pub fn pod(&self, config: &Config) -> Value {
        let spec = &self.cluster.spec;
        let mut labels = plain(&spec.pod_labels);
        merge(&mut labels, plain(&self.names.labels()));
        let mut template = json!({
            "metadata": { "labels": labels },
            "spec": {
                "serviceAccountName": self.names.cluster,
                "automountServiceAccountToken": self.asks_api_server(),
                "enableServiceLinks": false,
                "terminationGracePeriodSeconds": config.grace(),
                "securityContext": user(),
                "containers": [self.container()],
                "volumes": self.volumes(&config.name),
                "topologySpreadConstraints": self.spread(),
            },
        });
        merge(&mut template, self.placement());
        template
    }

    /// Whether nodes ask the API server about tokens of ServiceAccounts.
    pub(super) fn asks_api_server(&self) -> bool {
        let asked = self.cluster.spec.config.0.get("kubernetes");
        asked.is_some_and(|kubernetes| !kubernetes["audience"].is_null())
    }

    /// What people say of where pods run.
    pub(super) fn placement(&self) -> Value {
        let spec = &self.cluster.spec;
        let mut pod = json!({});
        let mut put = |name: &str, value: Value, is_there: bool| {
            if is_there {
                pod[name] = value;
            }
        };
        put("nodeSelector", plain(&spec.node_selector), !spec.node_selector.is_empty());
        put("tolerations", plain(&spec.tolerations), !spec.tolerations.is_empty());
        put("affinity", plain(&spec.affinity), spec.affinity.is_some());
        put(
            "imagePullSecrets",
            plain(&spec.image_pull_secrets),
            !spec.image_pull_secrets.is_empty(),
        );
        let class = &spec.priority_class_name;
        put("priorityClassName", plain(class), class.is_some());
        let mut template = json!({ "spec": pod });
        if !spec.pod_annotations.is_empty() {
            template["metadata"] = json!({ "annotations": spec.pod_annotations });
        }
        template
    }

    fn container(&self) -> Value {
        let mut container = self.program();
        merge(
            &mut container,
            json!({
                "args": ["run", "/etc/kvs/config/config.yaml", "--live", format!("/etc/kvs/live/{}", live::FILE)],
                "ports": [
                    { "name": "client", "containerPort": CLIENT_PORT, "protocol": "TCP" },
                    { "name": "peer", "containerPort": PEER_PORT, "protocol": "TCP" },
                    { "name": "gossip", "containerPort": PEER_PORT, "protocol": "UDP" },
                ],
                "env": self.environment(),
                "volumeMounts": self.mounts(),
            }),
        );
        merge(&mut container, self.probes());
        container
    }

    /// A container with the node's program, whatever it is to do.
    pub(super) fn program(&self) -> Value {
        let spec = &self.cluster.spec;
        let mut container = json!({
            "name": "kvs",
            "image": spec.image.as_ref().unwrap_or(&self.site.image),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
        });
        if let Some(policy) = spec.image_pull_policy {
            container["imagePullPolicy"] = json!(policy.name());
        }
        if let Some(resources) = &spec.resources {
            container["resources"] = plain(resources);
        }
        container
    }

    /// Starting may take a week: neither a store that recovers is to be killed for it, nor a node that is
    /// held down. Readiness is the node's own judgement; only a process that answered and answers nothing
    /// any more is started again.
    fn probes(&self) -> Value {
        let scheme = if self.cluster.spec.tls.mode == TlsMode::Off { "HTTP" } else { "HTTPS" };
        let get = |path: &str| json!({ "path": path, "port": "client", "scheme": scheme });
        json!({
            "startupProbe": { "httpGet": get("/livez"), "periodSeconds": 1, "failureThreshold": 604_800 },
            "readinessProbe": { "httpGet": get("/readyz"), "periodSeconds": 2, "failureThreshold": 1 },
            "livenessProbe": {
                "httpGet": get("/livez"), "periodSeconds": 10, "timeoutSeconds": 5,
                "failureThreshold": 6,
            },
        })
    }

    fn environment(&self) -> Vec<Value> {
        let from = |name: &str, field: &str| {
            json!({
                "name": name,
                "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": field } },
            })
        };
        let own =
            [from("KVS__NODE_ID", "metadata.name"), from("KVS__ADVERTISE_ADDRESS", "status.podIP")];
        let trust = self.trust().map(|(variable, _, _)| variable);
        own.into_iter().chain(trust).chain(self.cluster.spec.env.iter().map(plain)).collect()
    }

    /// The variable, the mount and the volume by which the program knows authorities of people's own.
    pub(super) fn trust(&self) -> Option<(Value, Value, Value)> {
        let map = self.cluster.spec.ca_config_map.as_ref()?;
        Some((
            json!({ "name": "SSL_CERT_FILE", "value": "/etc/kvs/authorities/ca.crt" }),
            mount("authorities", "/etc/kvs/authorities"),
            json!({ "name": "authorities", "configMap": { "name": map } }),
        ))
    }

    fn mounts(&self) -> Vec<Value> {
        let mut mounts = vec![
            json!({ "name": "data", "mountPath": "/data" }),
            mount("config", "/etc/kvs/config"),
            mount("live", "/etc/kvs/live"),
            mount("identity", "/etc/kvs/identity"),
        ];
        if self.cluster.spec.tls.mode == TlsMode::Secret {
            mounts.push(mount("tls", "/etc/kvs/tls"));
        }
        mounts.extend(self.trust().map(|(_, mount, _)| mount));
        mounts
    }

    fn volumes(&self, config: &str) -> Vec<Value> {
        let mut volumes = vec![
            json!({ "name": "config", "configMap": { "name": config } }),
            json!({ "name": "live", "configMap": { "name": self.names.live(), "optional": true } }),
            secret("identity", &self.identity_name()),
        ];
        let tls = &self.cluster.spec.tls;
        if tls.mode == TlsMode::Secret {
            volumes.push(secret("tls", tls.secret_name.as_deref().unwrap_or_default()));
        }
        volumes.extend(self.trust().map(|(_, _, volume)| volume));
        volumes
    }

    fn spread(&self) -> Vec<Value> {
        let selector = json!({ "matchLabels": self.names.selector() });
        let over = |key: &str| {
            json!({
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": selector,
            })
        };
        let Some(asked) = &self.cluster.spec.topology_spread else {
            return ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map(over).to_vec();
        };
        let mut asked: Vec<Value> = asked.iter().map(plain).collect();
        for constraint in asked.iter_mut().filter(|one| one.get("labelSelector").is_none()) {
            constraint["labelSelector"] = selector.clone();
        }
        asked
    }
}
