//! The API server, in the words of scenarios.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
};
use kube::{Client, Error, ResourceExt};
use kvs_operator_core::names::Names;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::wait::until;

/// Kinds that are in no namespace.
const EVERYWHERE: &[&str] = &[
    "Namespace",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "PersistentVolume",
    "StorageClass",
];

/// How long a namespace of an earlier run may take to go.
const LEFTOVER: Duration = Duration::from_mins(2);
/// The field manager of what scenarios apply.
pub(crate) const MANAGER: &str = "kvs-e2e";

/// Objects of a kind, in a namespace if it has some.
pub(crate) fn api(
    client: &Client,
    namespace: &str,
    version: &str,
    kind: &str,
) -> Api<DynamicObject> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    if EVERYWHERE.contains(&kind) {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Where an object of a manifest is, and its name; `namespace` where it names none.
pub(crate) fn place(
    client: &Client,
    namespace: &str,
    object: &Value,
) -> (Api<DynamicObject>, String) {
    let own = text(&object["metadata"]["namespace"]);
    let space = if own.is_empty() { namespace } else { own };
    let api = api(client, space, text(&object["apiVersion"]), text(&object["kind"]));
    (api, text(&object["metadata"]["name"]).to_owned())
}

/// The objects of a manifest.
///
/// # Errors
///
/// It is no YAML.
pub(crate) fn objects(manifest: &str) -> Result<Vec<Value>, Failure> {
    let documents = manifest.split("\n---").map(|text| text.trim_start_matches('-'));
    let read = documents.map(|text| Ok(serde_saphyr::from_str::<Value>(text)?));
    let read: Vec<Value> = read.collect::<Result<_, Failure>>()?;
    Ok(read.into_iter().filter(Value::is_object).collect())
}

/// Applies a manifest, as `kubectl apply --server-side -f` does.
///
/// # Errors
///
/// It is no YAML, or the API server refuses it.
pub(crate) async fn apply(client: &Client, namespace: &str, manifest: &str) -> Result<(), Failure> {
    for object in objects(manifest)? {
        apply_object(client, namespace, &object).await?;
    }
    Ok(())
}

/// Applies one object.
///
/// # Errors
///
/// The API server refuses it.
pub(crate) async fn apply_object(
    client: &Client,
    namespace: &str,
    object: &Value,
) -> Result<(), Error> {
    let (api, name) = place(client, namespace, object);
    let params = PatchParams::apply(MANAGER).force();
    api.patch(&name, &params, &Patch::Apply(object)).await.map(drop)
}

/// An empty namespace of this name, without what an earlier run left there.
///
/// # Errors
///
/// The API server refuses.
pub(crate) async fn make_namespace(
    client: &Client,
    name: &str,
    restricted: bool,
) -> Result<(), Failure> {
    remove_namespace(client, name).await;
    let spaces: Api<Namespace> = Api::all(client.clone());
    until("what an earlier run left is gone", LEFTOVER, async || {
        Ok(spaces.get_opt(name).await?.is_none().then_some(()))
    })
    .await?;
    let level = if restricted { "restricted" } else { "baseline" };
    let object = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": name, "labels": {
            "pod-security.kubernetes.io/enforce": level, "kvs-e2e": "scenario",
        } },
    });
    Ok(apply_object(client, "", &object).await?)
}

/// Deletes a namespace and all in it; does not wait.
pub(crate) async fn remove_namespace(client: &Client, name: &str) {
    // Clusters first, or the operator makes again what goes before them.
    let clusters = api(client, name, "kvs.kalzu.dev/v1alpha1", "KvsCluster");
    let (all, now) = (ListParams::default(), DeleteParams::default());
    // A scenario's namespace that stays harms nobody.
    let _ = clusters.delete_collection(&now, &all).await;
    let spaces: Api<Namespace> = Api::all(client.clone());
    let _ = spaces.delete(name, &DeleteParams::default()).await;
}

/// The pods of a `KvsCluster`.
///
/// # Errors
///
/// The API server does not answer.
pub(crate) async fn pods(
    client: &Client,
    namespace: &str,
    cluster: &str,
) -> Result<Vec<Pod>, Error> {
    let ours = Names::new(cluster, namespace).selector_text();
    let ours = ListParams::default().labels(&ours);
    let mut pods = Api::<Pod>::namespaced(client.clone(), namespace).list(&ours).await?.items;
    pods.sort_by_key(ResourceExt::name_any);
    Ok(pods)
}

/// Whether a pod is ready.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = |one: &k8s_openapi::api::core::v1::PodCondition| {
        one.type_ == "Ready" && one.status == "True"
    };
    pod.metadata.deletion_timestamp.is_none() && conditions.into_iter().flatten().any(ready)
}

/// Where the nodes of these pods answer clients.
pub(crate) fn addresses(pods: &[Pod]) -> Vec<String> {
    let ips = pods.iter().filter_map(|pod| pod.status.as_ref()?.pod_ip.clone());
    ips.map(|ip| {
        if ip.contains(':') { format!("http://[{ip}]:8080") } else { format!("http://{ip}:8080") }
    })
    .collect()
}
