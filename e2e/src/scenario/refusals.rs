//! Wrong manifests: each is refused by the API server, with words that say what to write instead.

mod kinds;
mod table;

use std::time::Duration;

use kube::Error;
use kube::api::{DeleteParams, Patch, PatchParams, ValidationDirective};
use serde_json::{Value, json};

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::Site;
use crate::wait::until;

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
    says(changed(site, space, &read(from)?, &read(wrong.what)?).await?, wrong)
}

/// What the API server says to a change that is applied as `kubectl apply` does: the operator
/// writes the status meanwhile, and an update with a version of its own would only be told that.
async fn changed(
    site: &Site,
    space: &str,
    from: &Value,
    to: &Value,
) -> Result<Result<(), Error>, Failure> {
    kubernetes::apply_object(&site.client, space, from).await?;
    let (api, name) = kubernetes::place(&site.client, space, from);
    let asks = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply(kubernetes::MANAGER).force().dry_run()
    };
    let answered = api.patch(&name, &asks, &Patch::Apply(to)).await.map(drop);
    api.delete(&name, &DeleteParams::default()).await?;
    until("it is gone", Duration::from_secs(30), async || {
        Ok(api.get_opt(&name).await?.is_none().then_some(()))
    })
    .await?;
    Ok(answered)
}
