//! The pod that brings a backup back, as the plan sees it.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::{Client, Error, ResourceExt as _};
use kvs_operator_core::names::{Names, RESTORE};
use kvs_operator_core::observed::{Outcome, PodSeen, RestorerSeen};

use super::pod;

/// The one of a cluster, if there is one.
///
/// # Errors
///
/// The API server cannot be asked.
pub(super) async fn find(client: &Client, names: &Names) -> Result<Option<RestorerSeen>, Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &names.namespace);
    let labels =
        format!("app.kubernetes.io/component=restore,app.kubernetes.io/instance={}", names.cluster);
    let found = pods.list(&ListParams::default().labels(&labels)).await?.items;
    Ok(found.iter().find(|pod| pod.name_any() == names.restorer()).map(|pod| seen(pod, names)))
}

fn seen(pod: &Pod, names: &Names) -> RestorerSeen {
    let PodSeen { uid, resource_version, terminating, trouble, .. } = pod::seen(pod, names);
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let outcome = match phase {
        Some("Succeeded") => Some(Outcome::Succeeded),
        Some("Failed") => Some(Outcome::Failed),
        _ => None,
    };
    let claim = pod.annotations().get(RESTORE).cloned().unwrap_or_default();
    RestorerSeen { uid, resource_version, claim, terminating, outcome, trouble }
}
