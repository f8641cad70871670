//! What pods wait for that people were to bring. A kubelet says it in events alone.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client, Error};
use kvs_operator_core::build::Blueprint;
use kvs_operator_core::observed::{Observed, PodSeen, Readiness};

/// Gives pods that never served, and do not say why, the reason, if something is not there.
///
/// # Errors
///
/// The API server cannot be asked.
pub(super) async fn name(
    client: &Client,
    plan: &Blueprint<'_>,
    seen: &mut Observed,
) -> Result<(), Error> {
    let waits = |pod: &PodSeen| pod.ready == Readiness::Never && pod.trouble.is_none();
    if !seen.pods.values().any(waits) {
        return Ok(());
    }
    let absent = find(client, plan).await?;
    for pod in seen.pods.values_mut().filter(|pod| waits(pod)) {
        pod.trouble.clone_from(&absent);
    }
    Ok(())
}

async fn find(client: &Client, plan: &Blueprint<'_>) -> Result<Option<String>, Error> {
    let (spec, space) = (&plan.cluster.spec, plan.names.namespace.as_str());
    if let Some(secret) = &spec.tls.secret_name
        && Api::<Secret>::namespaced(client.clone(), space).get_opt(secret).await?.is_none()
    {
        return Ok(Some(format!("there is no Secret {secret}, which spec.tls.secretName names")));
    }
    if let Some(map) = &spec.ca_config_map
        && Api::<ConfigMap>::namespaced(client.clone(), space).get_opt(map).await?.is_none()
    {
        return Ok(Some(format!("there is no ConfigMap {map}, which spec.caConfigMap names")));
    }
    Ok(None)
}
