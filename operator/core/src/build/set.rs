//! The `StatefulSet`.

use serde_json::{Value, json};

use super::{Blueprint, Template};
use crate::crd::Retain;
use crate::names::TEMPLATE;
use crate::plan::SetWanted;
use crate::quantity;

/// The `StatefulSet` as it is to be now. Pods start side by side, and Kubernetes never deletes a claim
/// because there are fewer of them.
pub fn stateful_set(blueprint: &Blueprint<'_>, wanted: &SetWanted, template: &Template) -> Value {
    let names = &blueprint.names;
    let deleted = match blueprint.cluster.spec.storage.retain {
        Retain::Delete => "Delete",
        Retain::Retain | Retain::DeleteOnScaleDown => "Retain",
    };
    let fields = json!({
        "metadata": { "annotations": { TEMPLATE: wanted.template } },
        "spec": {
            "replicas": wanted.replicas,
            "serviceName": names.peers(),
            "podManagementPolicy": "Parallel",
            "revisionHistoryLimit": 5,
            "selector": { "matchLabels": names.selector() },
            "updateStrategy": strategy(wanted.partition),
            "persistentVolumeClaimRetentionPolicy": {
                "whenScaled": "Retain",
                "whenDeleted": deleted,
            },
            "template": template.pod,
            "volumeClaimTemplates": [claim(blueprint, wanted.size)],
        },
    });
    blueprint.object("apps/v1", "StatefulSet", &names.cluster, fields)
}

fn strategy(partition: Option<u32>) -> Value {
    match partition {
        Some(partition) => {
            json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": partition } })
        }
        None => json!({ "type": "OnDelete" }),
    }
}

pub(super) fn claim(blueprint: &Blueprint<'_>, size: u64) -> Value {
    let storage = &blueprint.cluster.spec.storage;
    // As people wrote it, where it is the same.
    let asked = Some(&storage.size).filter(|asked| quantity::bytes(asked) == Some(size));
    let size = asked.cloned().unwrap_or_else(|| size.to_string());
    let mut spec = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": size } },
    });
    if let Some(class) = &storage.storage_class_name {
        spec["storageClassName"] = json!(class);
    }
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": "data", "labels": blueprint.names.labels() },
        "spec": spec,
    })
}
