//! What people release by an annotation, with the value that makes it hold once and not for ever.

use std::io::Write;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use kvs_operator_core::crd::{ADOPT, KvsClusterStatus, PROMOTE, REPLACE};
use kvs_operator_core::names::Names;
use serde_json::json;

use super::{Here, PluginError};

pub(super) async fn promote(
    here: &Here,
    name: &str,
    out: &mut impl Write,
) -> Result<(), PluginError> {
    let cluster = here.clusters().get(name).await?;
    if cluster.spec.rollout.canary.is_none() {
        let text =
            format!("{name} has no canaries: spec.rollout.canary is not set, so no change waits");
        return Err(PluginError::Refused(text));
    }
    let template = cluster.status.and_then(|status| status.template);
    let template = template.ok_or_else(|| unseen(name))?;
    annotate(here, name, PROMOTE, &template).await?;
    Ok(writeln!(out, "{name}: template {template} goes to all pods, one by one")?)
}

pub(super) async fn adopt(
    here: &Here,
    name: &str,
    out: &mut impl Write,
) -> Result<(), PluginError> {
    let status = here.clusters().get(name).await?.status.unwrap_or_default();
    let newer = newer(&status);
    let none =
        || PluginError::Refused(format!("{name} is as this operator makes it; nothing to adopt"));
    let newer = newer.ok_or_else(none)?;
    annotate(here, name, ADOPT, &newer).await?;
    Ok(writeln!(out, "{name}: template {newer} goes to all pods, one by one")?)
}

/// The template that a newer operator offers: the last word of what it says of it.
fn newer(status: &KvsClusterStatus) -> Option<String> {
    let mut all = status.conditions.iter();
    let offer = all.find(|one| one.type_ == "UpdateAvailable" && one.status == "True")?;
    offer.message.rsplit(' ').next().map(str::to_owned)
}

pub(super) async fn replace(
    here: &Here,
    name: &str,
    ordinal: u32,
    out: &mut impl Write,
) -> Result<(), PluginError> {
    let names = Names::new(name, here.namespace.as_str());
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(here.client.clone(), &here.namespace);
    let claim = claims.get(&names.claim(ordinal)).await?;
    let value = format!("{ordinal}/{}", claim.uid().unwrap_or_default());
    annotate(here, name, REPLACE, &value).await?;
    let pod = names.pod(ordinal);
    Ok(writeln!(
        out,
        "{name}: {pod} gets a new disk once it no longer serves and its old node is given up. \
         `kubectl kvs status {name}` says what that waits for"
    )?)
}

async fn annotate(here: &Here, name: &str, key: &str, value: &str) -> Result<(), PluginError> {
    let patch = Patch::Merge(json!({ "metadata": { "annotations": { key: value } } }));
    here.clusters().patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

fn unseen(name: &str) -> PluginError {
    PluginError::Refused(format!("the operator has not looked at {name} yet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_adopted_is_what_the_operator_offers() {
        let offer = |status: &str| {
            serde_json::from_value(json!({ "conditions": [{
                "type": "UpdateAvailable", "status": status, "reason": "NewerTemplate",
                "message": "restarts them one by one with template abc123",
                "lastTransitionTime": "1970-01-01T00:00:00Z",
            }] }))
            .unwrap()
        };
        assert_eq!(newer(&offer("True")), Some("abc123".to_owned()));
        assert_eq!(newer(&offer("False")), None);
    }
}
