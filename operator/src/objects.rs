//! Objects, as JSON: read, compared, applied, deleted.

use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
    Preconditions,
};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::{Client, Error};
use kvs_operator_core::build::signed;
use kvs_operator_core::compare;
use kvs_operator_core::names::{MANAGER, Names};
use serde_json::Value;

/// Where objects of a kind are.
pub fn api(client: &Client, namespace: &str, version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(client.clone(), namespace, &resource)
}

fn api_of(client: &Client, object: &Value) -> (Api<DynamicObject>, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let metadata = &object["metadata"];
    let api = api(client, &text(&metadata["namespace"]), &version, &kind);
    (api, text(&metadata["name"]))
}

/// An object as it is there; nothing if it is not.
///
/// # Errors
///
/// The API server cannot be asked.
pub async fn live(client: &Client, object: &Value) -> Result<Option<Value>, Error> {
    let (api, name) = api_of(client, object);
    let found = api.get_opt(&name).await?;
    Ok(found.and_then(|found| serde_json::to_value(found).ok()))
}

/// Applies an object unless it is so; says whether anything was written.
///
/// # Errors
///
/// The API server refuses it, or cannot be asked.
pub async fn apply(client: &Client, object: Value, live: Option<&Value>) -> Result<bool, Error> {
    let object = signed(object);
    if live.is_some_and(|live| compare::is_so(&object, live)) {
        return Ok(false);
    }
    write(client, &object).await.map(|()| true)
}

/// Applies an object that must still be of this uid and version.
///
/// # Errors
///
/// It changed since; the API server refuses it, or cannot be asked.
pub async fn apply_to(
    client: &Client,
    object: Value,
    from: Option<&(String, String)>,
) -> Result<(), Error> {
    let mut object = signed(object);
    if let Some((uid, version)) = from {
        object["metadata"]["uid"] = uid.clone().into();
        object["metadata"]["resourceVersion"] = version.clone().into();
    }
    write(client, &object).await
}

async fn write(client: &Client, object: &Value) -> Result<(), Error> {
    let (api, name) = api_of(client, object);
    let params = PatchParams::apply(MANAGER).force();
    tracing::info!(kind = %object["kind"], name, "applies");
    api.patch(&name, &params, &Patch::Apply(object)).await.map(drop)
}

/// Makes an object that must not be there.
///
/// # Errors
///
/// It is; the API server refuses it, or cannot be asked.
pub async fn create(client: &Client, object: &Value) -> Result<(), Error> {
    let (api, name) = api_of(client, object);
    let typed = serde_json::from_value(object.clone()).map_err(Error::SerdeError)?;
    tracing::info!(kind = %object["kind"], name, "creates");
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    api.create(&params, &typed).await.map(drop)
}

/// All objects of a kind that are a cluster's.
///
/// # Errors
///
/// The API server cannot be asked.
pub async fn all(
    client: &Client,
    names: &Names,
    version: &str,
    kind: &str,
) -> Result<Vec<Value>, Error> {
    let api = api(client, &names.namespace, version, kind);
    let found = api.list(&ListParams::default().labels(&names.selector_text())).await?;
    let typed = |mut object: DynamicObject| {
        object.types = Some(TypeMeta { api_version: version.to_owned(), kind: kind.to_owned() });
        serde_json::to_value(object).ok()
    };
    Ok(found.items.into_iter().filter_map(typed).collect())
}

/// Deletes exactly this object.
///
/// # Errors
///
/// It changed since, or the API server cannot be asked. That it is gone already is none.
pub async fn delete(client: &Client, object: &Value) -> Result<(), Error> {
    let (api, name) = api_of(client, object);
    let uid = object["metadata"]["uid"].as_str().map(str::to_owned);
    let only = DeleteParams::default().preconditions(Preconditions { uid, resource_version: None });
    tracing::info!(kind = %object["kind"], name, "deletes");
    gone(api.delete(&name, &only).await.map(drop))
}

/// What is gone already need not be deleted.
pub fn gone(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}
