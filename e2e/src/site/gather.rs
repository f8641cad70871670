//! What a person would ask for first when a scenario failed.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams, LogParams};
use serde_json::Value;

use super::{OPERATOR_SPACE, Site};
use crate::failure::Failure;
use crate::{audit, kubernetes};

/// Kinds of which everything in the scenario's namespace is kept.
const KINDS: &[(&str, &str)] = &[
    ("kvs.kalzu.dev/v1alpha1", "KvsCluster"),
    ("apps/v1", "StatefulSet"),
    ("v1", "Pod"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("policy/v1", "PodDisruptionBudget"),
    ("events.k8s.io/v1", "Event"),
];

impl Site {
    /// Writes objects, events and logs of a namespace and the operator's logs into a folder, which it
    /// names.
    ///
    /// # Errors
    ///
    /// The API server does not answer, or the folder cannot be written.
    pub(crate) async fn gather(&self, space: &str) -> Result<PathBuf, Failure> {
        let folder = self.out.join(space);
        std::fs::create_dir_all(&folder)?;
        for (version, kind) in KINDS {
            let api = kubernetes::api(&self.client, space, version, kind);
            let all = api.list(&ListParams::default()).await?.items;
            let all = all.iter().filter_map(|one| serde_json::to_value(one).ok());
            let text = serde_saphyr::to_string(&all.collect::<Vec<Value>>())?;
            std::fs::write(folder.join(format!("{kind}.yaml")), text)?;
        }
        for space in [space, OPERATOR_SPACE] {
            self.logs(space, &folder).await?;
        }
        if self.has_audit() {
            let requests = audit::Audit::whole(self.audit_path()?).of_operator()?;
            std::fs::write(folder.join("operator-requests.txt"), audit::lines(&requests))?;
        }
        Ok(folder)
    }

    async fn logs(&self, space: &str, folder: &Path) -> Result<(), Failure> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), space);
        for pod in pods.list(&ListParams::default()).await?.items {
            let name = pod.name_any();
            for (previous, of) in [(false, "log"), (true, "previous.log")] {
                let tail_lines = Some(5_000);
                let wanted = LogParams { previous, tail_lines, ..LogParams::default() };
                // There is none of a pod that never ran.
                if let Ok(text) = pods.logs(&name, &wanted).await {
                    std::fs::write(folder.join(format!("{name}.{of}")), text)?;
                }
            }
        }
        Ok(())
    }
}
