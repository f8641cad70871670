//! Carries out what the plan says, to exactly the object or node that it says it of.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, EvictParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, Error};
use kvs_client::{ClusterFile, DutyOrder};
use kvs_operator_core::build::Blueprint;
use kvs_operator_core::names::{CLUSTER_FILE, DECOMMISSIONED, NODE, RESTORE};
use kvs_operator_core::observed::{Ordinal, Restore};
use kvs_operator_core::plan::Act;
use serde_json::json;
use thiserror::Error;
use uuid::Uuid;

use crate::nodes::NodeError;
use crate::objects::{self, gone};
use crate::observe::Look;

/// A step was not carried out, or it is not known whether it was. The next look shows.
#[derive(Debug, Error)]
pub enum ActError {
    /// The budget of disruptions is used up.
    #[error("the budget allows no disruption now")]
    Budget,
    /// The API server refused, or did not answer.
    #[error(transparent)]
    Api(#[from] Error),
    /// A node refused, or did not answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// There is no such node at this ordinal.
    #[error("node {0} has no address")]
    Absent(Ordinal),
}

/// Carries one step out.
///
/// # Errors
///
/// See [`ActError`].
pub async fn carry_out(
    client: &Client,
    plan: &Blueprint<'_>,
    look: &Look,
    act: &Act,
) -> Result<(), ActError> {
    let space = plan.names.namespace.as_str();
    let names = &plan.names;
    match act {
        Act::MakeIdentity => make_identity(client, plan).await?,
        Act::NoteClaim { ordinal, uid, node, decommissioned } => {
            let patch = note(uid, *node, *decommissioned);
            claims(client, space)
                .patch(&names.claim(*ordinal), &PatchParams::default(), &patch)
                .await?;
        }
        Act::MakeClaim { size } => objects::create(client, &plan.first_claim(*size)).await?,
        Act::Restore { claim } => {
            if let Some(pod) = plan.restorer(claim) {
                objects::create(client, &pod).await?;
            }
        }
        Act::NoteRestore { uid, restore } => {
            let patch = note_restore(uid, *restore);
            claims(client, space).patch(&names.claim(0), &PatchParams::default(), &patch).await?;
        }
        Act::EndRestore { uid, resource_version } => {
            let pods: Api<Pod> = Api::namespaced(client.clone(), space);
            let only = only(uid, Some(resource_version));
            gone(pods.delete(&names.restorer(), &only).await.map(drop))?;
        }
        Act::GrowClaim { ordinal, uid, size } => {
            let storage = size.to_string();
            let patch = Patch::Merge(json!({
                "metadata": { "uid": uid },
                "spec": { "resources": { "requests": { "storage": storage } } },
            }));
            claims(client, space)
                .patch(&names.claim(*ordinal), &PatchParams::default(), &patch)
                .await?;
        }
        Act::DeleteClaim { ordinal, uid, resource_version } => {
            let only = only(uid, Some(resource_version));
            gone(claims(client, space).delete(&names.claim(*ordinal), &only).await.map(drop))?;
        }
        Act::OrphanSet { uid, resource_version } => {
            let sets: Api<StatefulSet> = Api::namespaced(client.clone(), space);
            let orphan = DeleteParams::orphan().preconditions(exactly(uid, Some(resource_version)));
            gone(sets.delete(&names.cluster, &orphan).await.map(drop))?;
        }
        Act::Evict { ordinal, uid } => evict(client, space, &names.pod(*ordinal), uid).await?,
        Act::DeletePod { ordinal, uid, resource_version } => {
            let pods: Api<Pod> = Api::namespaced(client.clone(), space);
            let only = only(uid, Some(resource_version));
            gone(pods.delete(&names.pod(*ordinal), &only).await.map(drop))?;
        }
        Act::Drain { ordinal, node } => order(look, *ordinal, *node, DutyOrder::Drain).await?,
        Act::Serve { ordinal, node } => order(look, *ordinal, *node, DutyOrder::Serve).await?,
        Act::Found { ordinal, node } => order(look, *ordinal, *node, DutyOrder::Found).await?,
        Act::Leave { ordinal, node } => order(look, *ordinal, *node, DutyOrder::Leave).await?,
        Act::Forget { ordinal, node } => {
            let by = look.seen.members.get(ordinal).ok_or(ActError::Absent(*ordinal))?.node;
            order(look, *ordinal, by, DutyOrder::Forget(*node)).await?;
        }
    }
    Ok(())
}

fn claims(client: &Client, space: &str) -> Api<PersistentVolumeClaim> {
    Api::namespaced(client.clone(), space)
}

fn exactly(uid: &str, version: Option<&str>) -> Preconditions {
    Preconditions { uid: Some(uid.to_owned()), resource_version: version.map(str::to_owned) }
}

fn only(uid: &str, version: Option<&str>) -> DeleteParams {
    DeleteParams::default().preconditions(exactly(uid, version))
}

/// A patch that names another uid is refused.
fn note(uid: &str, node: Option<Uuid>, decommissioned: bool) -> Patch<serde_json::Value> {
    let node = node.map(|node| node.to_string());
    let mark = decommissioned.then(|| node.clone().unwrap_or_default());
    Patch::Merge(json!({
        "metadata": { "uid": uid, "annotations": { NODE: node, DECOMMISSIONED: mark } },
    }))
}

fn note_restore(uid: &str, restore: Option<Restore>) -> Patch<serde_json::Value> {
    let mark = restore.map(Restore::name);
    Patch::Merge(json!({ "metadata": { "uid": uid, "annotations": { RESTORE: mark } } }))
}

async fn evict(client: &Client, space: &str, pod: &str, uid: &str) -> Result<(), ActError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), space);
    let params = EvictParams { delete_options: Some(only(uid, None)), ..EvictParams::default() };
    match pods.evict(pod, &params).await {
        Err(Error::Api(status)) if status.code == 429 => Err(ActError::Budget),
        other => Ok(gone(other.map(drop))?),
    }
}

async fn order(
    look: &Look,
    ordinal: Ordinal,
    node: Uuid,
    order: DutyOrder,
) -> Result<(), ActError> {
    let nodes = look.nodes.as_ref().ok_or(ActError::Absent(ordinal))?;
    let address = look.addresses.get(&ordinal).ok_or(ActError::Absent(ordinal))?;
    Ok(nodes.order(*address, node, order).await?)
}

/// Has the cluster file go with its cluster or outlive it, as it is asked for by now.
///
/// # Errors
///
/// It changed since it was seen; the API server refuses, or cannot be asked.
pub async fn own_identity(
    client: &Client,
    plan: &Blueprint<'_>,
    seen: &ObjectMeta,
) -> Result<(), Error> {
    let has = seen.owner_references.as_deref().unwrap_or_default();
    let Some(owners) = plan.identity_owners(has) else { return Ok(()) };
    let (uid, version) = (&seen.uid, &seen.resource_version);
    let patch = Patch::Merge(json!({
        "metadata": { "uid": uid, "resourceVersion": version, "ownerReferences": owners },
    }));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &plan.names.namespace);
    let params = PatchParams::default();
    secrets.patch(&plan.identity_name(), &params, &patch).await.map(drop)
}

/// Makes the cluster file, once: where there is one, this fails. Like the disks it outlives the
/// cluster, unless all is to go with it.
async fn make_identity(client: &Client, plan: &Blueprint<'_>) -> Result<(), Error> {
    let file = ClusterFile::new(rand::random(), rand::random(), rand::random());
    let mut secret = Secret::default();
    secret.metadata.name = Some(plan.identity_name());
    secret.metadata.labels = Some(plan.names.labels());
    secret.metadata.owner_references = plan.identity_owners(&[]);
    let text = ByteString(file.to_text().into_bytes());
    secret.data = Some(BTreeMap::from([(CLUSTER_FILE.to_owned(), text)]));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &plan.names.namespace);
    secrets.create(&PostParams::default(), &secret).await.map(drop)
}
