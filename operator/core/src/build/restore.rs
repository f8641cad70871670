//! The first disk of a cluster that begins with a backup, and the pod that brings it back.

use serde_json::{Value, json};

use super::pod::{mount, secret, user};
use super::{Blueprint, merge, plain, set};
use crate::crd::FromBackup;
use crate::names::{CLUSTER_FILE, RESTORE};
use crate::observed::Restore;

impl Blueprint<'_> {
    /// The first claim, as the `StatefulSet` would make it, with the note that a backup is to be on it. It
    /// has no owner: disks outlive their cluster, and its controller sees to those that do not.
    pub fn first_claim(&self, size: u64) -> Value {
        let mut claim = set::claim(self, size);
        claim["metadata"]["name"] = json!(self.names.claim(0));
        claim["metadata"]["namespace"] = json!(self.names.namespace);
        claim["metadata"]["annotations"] = json!({ RESTORE: Restore::Begun.name() });
        claim
    }

    /// The pod that brings the backup back onto the claim with this uid; nothing if none is asked for. It
    /// tries for as long as it is there.
    pub fn restorer(&self, claim: &str) -> Option<Value> {
        let backup = &self.cluster.spec.bootstrap.as_ref()?.from_backup;
        let mut pod = json!({
            "metadata": { "annotations": { RESTORE: claim } },
            "spec": {
                "restartPolicy": "OnFailure",
                "serviceAccountName": self.names.cluster,
                "automountServiceAccountToken": false,
                "enableServiceLinks": false,
                "terminationGracePeriodSeconds": 1,
                "securityContext": user(),
                "containers": [self.restoring(backup)],
                "volumes": self.restored_volumes(),
            },
        });
        merge(&mut pod, self.placement());
        let mut object = self.object("v1", "Pod", &self.names.restorer(), pod);
        // No node: the budget does not count it, and nobody is sent there.
        object["metadata"]["labels"]["app.kubernetes.io/component"] = json!("restore");
        Some(object)
    }

    fn restoring(&self, backup: &FromBackup) -> Value {
        let mut container = self.program();
        let mut mounts = vec![
            json!({ "name": "data", "mountPath": "/data" }),
            mount("identity", "/etc/kvs/identity"),
        ];
        mounts.extend(self.trust().map(|(_, mount, _)| mount));
        let place = backup.target.trim_end_matches('/');
        merge(
            &mut container,
            json!({
                "args": [
                    "backup", "restore", format!("{place}/{}.tar.zst", backup.name),
                    "--data-dir", "/data/kvs",
                    "--cluster", format!("/etc/kvs/identity/{CLUSTER_FILE}"),
                    "--node-id", self.names.pod(0),
                ],
                "env": self.restoring_environment(backup),
                "volumeMounts": mounts,
            }),
        );
        container
    }

    /// The key of S3, and where it is. What people set for nodes is set here, too, unless it is said here.
    fn restoring_environment(&self, backup: &FromBackup) -> Vec<Value> {
        let key = |name: &str, key: &str| {
            let from = json!({ "secretKeyRef": { "name": backup.secret_name, "key": key } });
            json!({ "name": name, "valueFrom": from })
        };
        let said = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| json!({ "name": name, "value": value }))
        };
        let mut all = vec![key("AWS_ACCESS_KEY_ID", "id"), key("AWS_SECRET_ACCESS_KEY", "secret")];
        all.extend(said("AWS_ENDPOINT_URL", &backup.endpoint));
        all.extend(said("AWS_REGION", &backup.region));
        all.extend(self.trust().map(|(variable, _, _)| variable));
        let own = |variable: &Value| all.iter().any(|one| one["name"] == variable["name"]);
        let more: Vec<Value> = self.cluster.spec.env.iter().map(plain).collect();
        let more: Vec<Value> = more.into_iter().filter(|variable| !own(variable)).collect();
        all.extend(more);
        all
    }

    fn restored_volumes(&self) -> Vec<Value> {
        let claim = json!({ "claimName": self.names.claim(0) });
        let mut volumes = vec![
            json!({ "name": "data", "persistentVolumeClaim": claim }),
            secret("identity", &self.identity_name()),
        ];
        volumes.extend(self.trust().map(|(_, _, volume)| volume));
        volumes
    }
}
