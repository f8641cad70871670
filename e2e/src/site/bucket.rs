//! A server of S3 within the cluster, with a bucket `backups`.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use serde_json::{Value, json};

use super::Site;
use super::authority::Authority;
use crate::failure::Failure;
use crate::kubernetes;
use crate::wait::until;

/// The Secret with the key of the bucket, as the examples call it.
const KEY: &str = "backup-key";
const PORT: u16 = 7070;

/// A bucket.
pub(crate) struct Bucket {
    /// Where it is.
    pub(crate) endpoint: String,
    /// The `ConfigMap` with the authority by which it is known.
    pub(crate) authority: &'static str,
}

impl Bucket {
    /// Starts one, and waits until it answers.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub(crate) async fn start(site: &Site, space: &str, image: &str) -> Result<Self, Failure> {
        let bucket =
            Self { endpoint: format!("https://s3.{space}.svc"), authority: "s3-authority" };
        let authority = Authority::new(site, space, bucket.authority).await?;
        authority.issue(site, space, "s3-tls", &[format!("s3.{space}.svc")]).await?;
        for object in [key(), service(), pod(image)] {
            kubernetes::apply_object(&site.client, space, &object).await?;
        }
        let pods: Api<Pod> = Api::namespaced(site.client.clone(), space);
        until("the bucket is there", Duration::from_mins(1), async || {
            Ok(kubernetes::is_ready(&pods.get("s3").await?).then_some(()))
        })
        .await?;
        Ok(bucket)
    }

    /// What examples with a bucket are told in place of theirs.
    pub(crate) fn spec(&self) -> Value {
        json!({
            "caConfigMap": self.authority,
            "config": {
                "auth_enabled": false,
                "backup_s3": { "endpoint": self.endpoint, "region": "us-east-1" },
            },
        })
    }
}

fn key() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": KEY },
        "stringData": { "id": "e2e", "secret": "e2e-signs-with-this" },
    })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "s3" },
        "spec": {
            "selector": { "app": "s3" }, "ports": [{ "port": 443, "targetPort": PORT }],
        },
    })
}

/// Its buckets are folders: one is there because it is mounted.
fn pod(image: &str) -> Value {
    let from = |key: &str| json!({ "secretKeyRef": { "name": KEY, "key": key } });
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "s3", "labels": { "app": "s3" } },
        "spec": {
            "automountServiceAccountToken": false, "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65_532, "runAsGroup": 65_532, "fsGroup": 65_532,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": "s3", "image": image,
                "args": [
                    "--port", format!(":{PORT}"), "--cert", "/tls/tls.crt", "--key", "/tls/tls.key",
                    "--quiet", "posix", "/buckets",
                ],
                "env": [
                    { "name": "ROOT_ACCESS_KEY", "valueFrom": from("id") },
                    { "name": "ROOT_SECRET_KEY", "valueFrom": from("secret") },
                ],
                "readinessProbe": { "tcpSocket": { "port": PORT }, "periodSeconds": 1 },
                "volumeMounts": [
                    { "name": "data", "mountPath": "/buckets" },
                    { "name": "data", "mountPath": "/bucket", "subPath": "backups" },
                    { "name": "tls", "mountPath": "/tls", "readOnly": true },
                ],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                },
            }],
            "volumes": [
                { "name": "data", "emptyDir": {} },
                { "name": "tls", "secret": { "secretName": "s3-tls", "defaultMode": 0o440 } },
            ],
        },
    })
}
