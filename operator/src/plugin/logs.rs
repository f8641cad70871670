//! What nodes say, each line with its pod's name.

use std::io::Write;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt as _};
use kvs_operator_core::names::Names;

use super::{Here, PluginError};

pub(super) async fn logs(
    here: &Here,
    name: &str,
    tail: i64,
    previous: bool,
    out: &mut impl Write,
) -> Result<(), PluginError> {
    let ours = Names::new(name, here.namespace.as_str()).selector_text();
    let pods: Api<Pod> = Api::namespaced(here.client.clone(), &here.namespace);
    let found = pods.list(&ListParams::default().labels(&ours)).await?.items;
    if found.is_empty() {
        return Err(PluginError::Refused(format!("{name} has no pods in {}", here.namespace)));
    }
    let wanted = LogParams { previous, tail_lines: Some(tail), ..LogParams::default() };
    for pod in found {
        let pod = pod.name_any();
        // A pod that never ran has none, and the others' are wanted all the same.
        let text = pods.logs(&pod, &wanted).await.unwrap_or_else(|error| super::said(&error));
        for line in text.lines() {
            writeln!(out, "{pod} {line}")?;
        }
    }
    Ok(())
}
