//! What people are told of the kinds beside `KvsCluster`.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Error, Resource, ResourceExt as _};
use kvs_operator_core::names::MANAGER;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// Writes the status of an object, if the object is still as it was seen: whoever decides by what is
/// written there must not decide by what was there before.
///
/// # Errors
///
/// It changed since, which [`is_stale`] tells; the API server refuses, or cannot be asked.
pub async fn status<K>(client: &Client, object: &K, status: &impl Serialize) -> Result<K, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Sync,
{
    let space = object.namespace().unwrap_or_default();
    let api: Api<K> = Api::namespaced(client.clone(), &space);
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "uid": object.uid(), "resourceVersion": object.resource_version() },
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    api.patch_status(&object.name_any(), &params, &Patch::Apply(&patch)).await
}

/// Whether an object changed since it was seen. The next look sees it as it is.
pub fn is_stale(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 409 || status.code == 404)
}
