//! The Secret with a user's token: read and written by its name.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Error, ResourceExt as _};
use kvs_client::CreatedToken;
use kvs_operator_core::build::hash;
use kvs_operator_core::crd::KvsUser;
use kvs_operator_core::names::MANAGER;
use kvs_operator_core::user::{HASH, Secret as State, TOKEN};
use serde_json::{Value, json};
use uuid::Uuid;

/// A Secret, as it is there.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// What the plan sees of it.
    pub(super) state: State,
    /// The id of the token in it.
    pub(super) token: Option<Uuid>,
    /// Its uid and version.
    version: Option<(String, String)>,
}

const NONE: Kept = Kept { state: State::Absent, token: None, version: None };

/// Reads the Secret that a `KvsUser` names.
///
/// # Errors
///
/// The API server cannot be asked.
pub(super) async fn read(client: &Client, of: &KvsUser, url: &str) -> Result<Kept, Error> {
    let Some(token) = &of.spec.token else { return Ok(NONE) };
    let found = api(client, of).get_opt(&token.secret_name).await?;
    Ok(found.map_or(NONE, |found| kept(of, &found, url)))
}

fn kept(of: &KvsUser, found: &Secret, url: &str) -> Kept {
    let uid = of.uid().unwrap_or_default();
    if !found.owner_references().iter().any(|owner| owner.uid == uid) {
        return Kept { state: State::Foreign, ..NONE };
    }
    let text = |name: &str| {
        let bytes = found.data.as_ref().and_then(|data| data.get(name));
        bytes.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned()).unwrap_or_default()
    };
    let note = |name: &str| found.annotations().get(name);
    let whole = note(HASH) == Some(&digest(&text("token"), url)) && text("url") == url;
    Kept {
        state: if whole { State::Whole } else { State::Changed },
        token: note(TOKEN).and_then(|id| id.parse().ok()),
        version: found.uid().zip(found.resource_version()),
    }
}

fn digest(token: &str, url: &str) -> String {
    hash(&json!([token, url]))
}

/// Makes the Secret, or puts another token into the one that was read.
///
/// # Errors
///
/// There is another one by now, or it changed since; the API server refuses, or cannot be asked.
pub(super) async fn write(
    client: &Client,
    of: &KvsUser,
    kept: &Kept,
    made: &CreatedToken,
    url: &str,
) -> Result<(), Error> {
    let Some(wanted) = &of.spec.token else { return Ok(()) };
    let mut secret = object(of, &wanted.secret_name, made, url)?;
    let Some((uid, version)) = &kept.version else {
        return api(client, of).create(&PostParams::default(), &secret).await.map(drop);
    };
    secret.metadata.uid = Some(uid.clone());
    secret.metadata.resource_version = Some(version.clone());
    let patch = Patch::Merge(&secret);
    api(client, of).patch(&wanted.secret_name, &PatchParams::default(), &patch).await.map(drop)
}

fn object(of: &KvsUser, name: &str, made: &CreatedToken, url: &str) -> Result<Secret, Error> {
    let owner: Value = json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1",
        "kind": "KvsUser",
        "name": of.name_any(),
        "uid": of.uid(),
        "controller": true,
    });
    let owner = serde_json::from_value(owner).map_err(Error::SerdeError)?;
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    let pairs = |all: [(&str, String); 2]| all.map(|(name, text)| (name.to_owned(), text)).into();
    let mut secret = Secret::default();
    secret.metadata.name = Some(name.to_owned());
    secret.metadata.owner_references = Some(vec![owner]);
    secret.metadata.labels = Some(pairs([
        ("app.kubernetes.io/managed-by", MANAGER.to_owned()),
        ("app.kubernetes.io/instance", of.spec.cluster.clone()),
    ]));
    secret.metadata.annotations =
        Some(pairs([(TOKEN, made.about.id.to_string()), (HASH, digest(&made.token, url))]));
    let data = [("token", made.token.as_str()), ("url", url)];
    let data = data.map(|(name, value)| (name.to_owned(), text(value)));
    secret.data = Some(BTreeMap::from(data));
    Ok(secret)
}

fn api(client: &Client, of: &KvsUser) -> Api<Secret> {
    Api::namespaced(client.clone(), &of.namespace().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use kvs_client::Token;

    use super::*;

    const URL: &str = "http://db.shop.svc:8080";

    fn user() -> KvsUser {
        serde_json::from_value(json!({
            "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsUser",
            "metadata": { "name": "cart", "namespace": "shop", "uid": "u1" },
            "spec": { "cluster": "db", "token": { "secretName": "cart-token" } },
        }))
        .unwrap()
    }

    fn made() -> CreatedToken {
        let about = Token {
            id: Uuid::from_u128(5),
            user: None,
            user_id: Uuid::nil(),
            scopes: Vec::new(),
            kid: String::new(),
            issued: 0,
            expires: 0,
        };
        CreatedToken { token: "secret".into(), about }
    }

    #[test]
    fn what_was_written_is_whole_until_somebody_changes_it() {
        let of = user();
        let secret = object(&of, "cart-token", &made(), URL).unwrap();
        let is = kept(&of, &secret, URL);
        assert_eq!((is.state, is.token), (State::Whole, Some(Uuid::from_u128(5))));
        assert_eq!(kept(&of, &secret, "https://db.shop.svc:8080").state, State::Changed);
        for name in ["token", "url"] {
            let mut changed = secret.clone();
            let data = changed.data.as_mut().unwrap();
            data.insert(name.into(), ByteString(b"x".to_vec()));
            assert_eq!(kept(&of, &changed, URL).state, State::Changed, "{name}");
            changed.data.as_mut().unwrap().remove(name);
            assert_eq!(kept(&of, &changed, URL).state, State::Changed, "{name}");
        }
    }

    #[test]
    fn a_secret_of_somebody_else_is_left_alone() {
        let of = user();
        let mut secret = object(&of, "cart-token", &made(), URL).unwrap();
        secret.metadata.owner_references.as_mut().unwrap()[0].uid = "u2".into();
        assert_eq!(kept(&of, &secret, URL).state, State::Foreign);
        secret.metadata.owner_references = None;
        let is = kept(&of, &secret, URL);
        assert_eq!((is.state, is.token), (State::Foreign, None));
    }
}
