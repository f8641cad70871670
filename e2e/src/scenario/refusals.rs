//! Wrong manifests: each is refused by the API server, with words that say what to write instead.

mod kinds;
mod table;

use kube::Error;
use serde_json::{Value, json};

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::site::Site;

use self::table::{CHANGES, NAMES, SPECS, Wrong};

const LEAST: usize = 40;
const BASE: &str = "/apis/kvs.kalzu.dev/v1alpha1/namespaces";

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let mut count = 0;
    for name in NAMES {
        refused(site, space, &object(name.what, &json!({})), name).await?;
        count += 1;
    }
    for wrong in SPECS {
        let spec = serde_saphyr::from_str(wrong.what)?;
        refused(site, space, &object("db", &spec), wrong).await?;
        count += 1;
    }
    for (from, wrong) in CHANGES {
        change_refused(site, space, from, wrong).await?;
        count += 1;
    }
    count += kinds::run(site, space).await?;
    expect(count >= LEAST, || format!("only {count} manifests"))?;
    Ok(format!("{count} refused, each with the words that were expected"))
}

fn object(name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsCluster",
        "metadata": { "name": name },
        "spec": { "storage": { "size": "1Gi" } },
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        object["spec"][field] = value.clone();
    }
    object
}

/// What the API server says to a request that only asks.
async fn answer(site: &Site, method: &str, path: &str, object: &Value) -> Result<(), Error> {
    let request = http::Request::builder()
        .method(method)
        .uri(format!("{BASE}/{path}?fieldValidation=Strict&dryRun=All"))
        .header("content-type", "application/json")
        .body(object.to_string().into_bytes())
        .map_err(Error::HttpError)?;
    site.client.request::<Value>(request).await.map(drop)
}

async fn refused(site: &Site, space: &str, object: &Value, wrong: &Wrong) -> Result<(), Failure> {
    let path = format!("{space}/kvsclusters");
    says(answer(site, "POST", &path, object).await, wrong)
}

fn says(answered: Result<(), Error>, wrong: &Wrong) -> Result<(), Failure> {
    let Wrong { what, says } = wrong;
    match answered {
        Ok(()) => Err(Failure::new(format!("{what} is not refused"))),
        Err(Error::Api(status)) => {
            let said = &status.message;
            expect(said.contains(says), || format!("{what}: {said:?} does not say {says:?}"))
        }
        Err(other) => Err(other.into()),
    }
}

/// A change of what is there. The cluster is paused, so that nothing is made of it.
async fn change_refused(
    site: &Site,
    space: &str,
    from: &str,
    wrong: &Wrong,
) -> Result<(), Failure> {
    let read = |text: &str| -> Result<Value, Failure> {
        let mut spec: Value = serde_saphyr::from_str(text)?;
        spec["mode"] = json!("Paused");
        Ok(object("changing", &spec))
    };
    crate::kubernetes::apply_object(&site.client, space, &read(from)?).await?;
    let collection = format!("{space}/kvsclusters/changing");
    let api = crate::kubernetes::api(&site.client, space, "kvs.kalzu.dev/v1alpha1", "KvsCluster");
    let live = api.get("changing").await?;
    let mut to = read(wrong.what)?;
    to["metadata"]["resourceVersion"] = json!(live.metadata.resource_version);
    let answered = answer(site, "PUT", &collection, &to).await;
    api.delete("changing", &kube::api::DeleteParams::default()).await?;
    says(answered, wrong)
}
