//! One archive with what is needed to understand a cluster from afar. Secrets are never read, and the
//! values of variables are left out.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt as _};
use serde_json::Value;

use super::{Here, PluginError};
use crate::objects;

/// Kinds of which everything in the namespace that is the cluster's is kept.
const KINDS: &[(&str, &str)] = &[
    ("apps/v1", "StatefulSet"),
    ("v1", "Pod"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
];
/// Kinds of which all in the namespace are kept, if the API server knows them.
const BESIDE: &[&str] = &["KvsBackup", "KvsBackupSchedule", "KvsUser"];
/// Lines of each log.
const LINES: i64 = 20_000;

pub(super) async fn gather(
    here: &Here,
    name: &str,
    output: &Path,
    operator: &str,
    out: &mut impl Write,
) -> Result<(), PluginError> {
    let failed = |source| PluginError::File { path: output.to_owned(), source };
    let mut archive = tar::Builder::new(File::create(output).map_err(failed)?);
    let mut add = |path: &str, text: &str| append(&mut archive, path, text).map_err(failed);
    let cluster = here.clusters().get(name).await?;
    add("KvsCluster.json", &text(&[serde_json::to_value(&cluster).unwrap_or_default()]))?;
    let ours = format!("app.kubernetes.io/instance={name}");
    for (version, kind) in KINDS {
        add(
            &format!("{kind}.json"),
            &text(&list(here, &here.namespace, version, kind, &ours).await?),
        )?;
    }
    add("Event.json", &text(&list(here, &here.namespace, "events.k8s.io/v1", "Event", "").await?))?;
    for kind in BESIDE {
        let found = list(here, &here.namespace, "kvs.kalzu.dev/v1alpha1", kind, "").await;
        add(&format!("{kind}.json"), &text(&found.unwrap_or_default()))?;
    }
    for (space, label) in [
        (here.namespace.as_str(), ours.as_str()),
        (operator, "app.kubernetes.io/name=kvs-operator"),
    ] {
        for (path, text) in logs(here, space, label).await? {
            add(&path, &text)?;
        }
    }
    archive.finish().map_err(failed)?;
    Ok(writeln!(
        out,
        "{} has what is needed to understand {name}; no Secret was read",
        output.display()
    )?)
}

fn append(archive: &mut tar::Builder<File>, path: &str, text: &str) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, format!("kvs-gather/{path}"), text.as_bytes())
}

async fn list(
    here: &Here,
    space: &str,
    version: &str,
    kind: &str,
    label: &str,
) -> Result<Vec<Value>, PluginError> {
    let api = objects::api(&here.client, space, version, kind);
    let found = api.list(&ListParams::default().labels(label)).await?.items;
    let mut found: Vec<Value> =
        found.iter().filter_map(|one| serde_json::to_value(one).ok()).collect();
    found.iter_mut().for_each(redact);
    Ok(found)
}

/// Leaves the values of variables out, which may be secrets, and what nobody reads.
fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("managedFields");
            if let Some(Value::Array(variables)) = fields.get_mut("env") {
                for variable in variables.iter_mut().filter(|one| one.get("value").is_some()) {
                    variable["value"] = "(left out)".into();
                }
            }
            fields.values_mut().for_each(redact);
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

fn text(objects: &[Value]) -> String {
    serde_json::to_string_pretty(objects).unwrap_or_default() + "\n"
}

async fn logs(here: &Here, space: &str, label: &str) -> Result<Vec<(String, String)>, PluginError> {
    let pods: Api<Pod> = Api::namespaced(here.client.clone(), space);
    let mut found = Vec::new();
    for pod in pods.list(&ListParams::default().labels(label)).await?.items {
        for (previous, of) in [(false, "log"), (true, "previous.log")] {
            let wanted = LogParams { previous, tail_lines: Some(LINES), ..LogParams::default() };
            // There is none of a process that never ran.
            if let Ok(text) = pods.logs(&pod.name_any(), &wanted).await {
                found.push((format!("{}.{of}", pod.name_any()), text));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_variables_are_left_out() {
        let mut pod = json!({ "spec": { "containers": [{ "env": [
            { "name": "A", "value": "secret" }, { "name": "B", "valueFrom": {} },
        ] }] } });
        redact(&mut pod);
        let env = &pod["spec"]["containers"][0]["env"];
        assert_eq!(
            *env,
            json!([{ "name": "A", "value": "(left out)" }, { "name": "B", "valueFrom": {} }])
        );
    }
}
