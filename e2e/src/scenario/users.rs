//! `KvsUser`: a token that permits what was asked for and is kept good, and pods that are users themselves.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kvs_operator_core::crd::KvsUser;
use serde_json::{Value, json};

use super::{Outcome, examples};
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

const USER: &str = include_str!("../../../examples/kubernetes/user.yaml");
const ACCOUNT: &str = include_str!("../../../examples/kubernetes/service-account.yaml");
const SECRET: &str = "cart-kvs";
/// Where the examples' pods have their token.
const TOKEN: &str = "/kvs/token";
/// Within which a user is as it was asked for.
const SOON: Duration = Duration::from_secs(20);
/// Within which it is noticed what others did.
const NOTICED: Duration = Duration::from_secs(80);

struct Guarded {
    cluster: Cluster,
    agent: Agent,
}

impl Guarded {
    /// A cluster that was asked for, once it is there.
    async fn new(cluster: Cluster) -> Result<Self, Failure> {
        let agent = Agent::start(&cluster.site, &cluster.space).await?;
        cluster.settles(3, Duration::from_secs(90)).await?;
        Ok(Self { cluster, agent })
    }

    /// The application of an example writes with the token that it has in its pod.
    async fn serves_its_pod(&self) -> Result<(), Failure> {
        let Cluster { site, space, .. } = &self.cluster;
        let cart = Agent::in_pod(site, space, &|pod| pod.name_any() == "cart").await?;
        let url = format!("http://db.{space}.svc:8080/kv/shop/from-its-pod");
        let wrote = cart.ask_as(TOKEN, "PUT", &url, Some("1")).await?;
        expect((200..300).contains(&wrote.status), || format!("the example's pod: {wrote:?}"))
    }

    /// The status that a request with a token is answered with.
    async fn asks(&self, method: &str, path: &str, token: &str) -> Result<u16, Failure> {
        let url = format!("http://db.{}.svc:8080{path}", self.cluster.space);
        let body = (method == "PUT").then_some("1");
        Ok(self.agent.ask(method, &url, body, Some(token)).await?.status)
    }

    /// Checks that a token is for what is below `shop/` and for nothing else. The key is one that its user
    /// owns: a user who is made again is another one.
    async fn is_for_the_shop(&self, token: &str, key: &str) -> Result<(), Failure> {
        let key = format!("/kv/shop/{key}");
        for (method, path, wanted) in [
            ("PUT", key.as_str(), 200..300),
            ("GET", &key, 200..300),
            ("PUT", "/kv/home/lamp", 403..404),
            ("PUT", "/kv/shopping/lamp", 403..404),
            ("DELETE", &key, 403..404),
            ("GET", "/api/users", 403..404),
        ] {
            let status = self.asks(method, path, token).await?;
            expect(wanted.contains(&status), || format!("{method} {path}: {status}"))?;
        }
        Ok(())
    }

    /// The token in the Secret, once it is good and another one than this.
    async fn token(&self, within: Duration, not: &str) -> Result<(String, Duration), Failure> {
        until("the Secret has a good token", within, async || {
            let secrets: Api<Secret> = self.cluster.of();
            let Some(found) = secrets.get_opt(SECRET).await? else { return Ok(None) };
            let data = found.data.unwrap_or_default();
            let token =
                data.get("token").map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned());
            let Some(token) = token.filter(|token| token != not) else { return Ok(None) };
            let status = self.asks("GET", "/api/whoami", &token).await?;
            Ok((status == 200).then_some(token))
        })
        .await
    }

    /// Waits until the `KvsUser` says this.
    async fn says(&self, name: &str, reason: &str) -> Result<(), Failure> {
        let users: Api<KvsUser> = self.cluster.of();
        let what = format!("KvsUser {name} says {reason}");
        until(&what, SOON, async || {
            let status = users.get(name).await?.status.unwrap_or_default();
            let said = status.conditions.first().map(|one| one.reason.clone());
            expect(said.as_deref() == Some(reason), || format!("{said:?}"))?;
            Ok(Some(()))
        })
        .await
        .map(drop)
    }
}

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let cluster = Cluster::new(site, space, "db");
    cluster.make(json!({ "config": { "auth_enabled": true } })).await?;
    let guarded = Guarded::new(cluster).await?;
    let cluster = &guarded.cluster;
    examples::apply_beside(site, space, USER).await?;
    let (first, took) = guarded.token(SOON, "").await?;
    guarded.is_for_the_shop(&first, "lamp").await?;
    guarded.serves_its_pod().await?;
    guarded.says("cart", "AsAsked").await?;

    // What others take away comes back; what they add goes.
    let secrets: Api<Secret> = cluster.of();
    secrets.delete(SECRET, &DeleteParams::default()).await?;
    let (second, secret) = guarded.token(NOTICED, &first).await?;
    let root = cluster.root_token().await?;
    let status = guarded.asks("DELETE", "/api/users/cart", &root).await?;
    expect(status == 204, || format!("the user is not deleted: {status}"))?;
    let (third, user) = guarded.token(NOTICED, &second).await?;
    guarded.is_for_the_shop(&third, "chair").await?;

    // Nobody else's user or Secret is touched.
    foreign(&guarded, "root-too", json!({ "userName": "cart" })).await?;
    guarded.says("root-too", "UserTaken").await?;
    foreign(&guarded, "thief", json!({ "token": { "secretName": SECRET } })).await?;
    guarded.says("thief", "SecretTaken").await?;
    guarded.is_for_the_shop(&third, "chair").await?;

    let users: Api<KvsUser> = cluster.of();
    let wider = Patch::Merge(json!({ "spec": { "scopes": ["read"] } }));
    users.patch("cart", &PatchParams::default(), &wider).await?;
    until("the token permits what is asked for now", SOON, async || {
        let wrote = guarded.asks("PUT", "/kv/shop/chair", &third).await?;
        Ok((wrote == 403).then_some(()))
    })
    .await?;
    users.delete("cart", &DeleteParams::default()).await?;
    until("user and token are gone", SOON, async || {
        let gone = users.get_opt("cart").await?.is_none();
        Ok((gone && guarded.asks("GET", "/api/whoami", &third).await? == 401).then_some(()))
    })
    .await?;
    users.delete("thief", &DeleteParams::default()).await?;
    cluster.delete().await?;
    users.delete("root-too", &DeleteParams::default()).await?;
    until("no KvsUser outlives its cluster", SOON, async || {
        let left = users.list(&kube::api::ListParams::default()).await?.items;
        Ok(left.is_empty().then_some(()))
    })
    .await?;
    Ok(format!(
        "a token in {took:.1?}, for its prefix alone; another after its Secret was deleted in {secret:.0?}, \
         after its user was in {user:.0?}; others' user and Secret left alone; gone with its KvsUser"
    ))
}

async fn foreign(guarded: &Guarded, name: &str, fields: Value) -> Result<(), Failure> {
    let mut spec = json!({ "cluster": "db" });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let object = json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsUser",
        "metadata": { "name": name }, "spec": spec,
    });
    let cluster = &guarded.cluster;
    Ok(kubernetes::apply_object(&cluster.site.client, &cluster.space, &object).await?)
}

/// A pod's token, as Kubernetes gives it for an audience.
pub(super) async fn token_of(
    site: &Site,
    space: &str,
    account: &str,
    audience: &str,
) -> Result<String, Failure> {
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": { "audiences": [audience], "expirationSeconds": 600 },
    });
    let uri = format!("/api/v1/namespaces/{space}/serviceaccounts/{account}/token");
    let request = http::Request::post(uri)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&request)?)?;
    let answer: Value = site.client.request(request).await?;
    let token = answer["status"]["token"].as_str();
    token.map(str::to_owned).ok_or_else(|| Failure::new("Kubernetes gave no token"))
}

pub(super) async fn account(site: &Site, space: &str) -> Outcome {
    let (issuer, cluster) = (site.issuer().await?, Cluster::new(site, space, "db"));
    cluster.make_as(ACCOUNT, json!({ "config": { "kubernetes": { "issuer": issuer } } })).await?;
    let guarded = Guarded::new(cluster).await?;
    examples::apply_beside(site, space, ACCOUNT).await?;
    guarded.says("cart", "AsAsked").await?;
    let token = token_of(site, space, "cart", "kvs").await?;
    let ((), took) = until("the token of the ServiceAccount is believed", SOON, async || {
        Ok((guarded.asks("GET", "/api/whoami", &token).await? == 200).then_some(()))
    })
    .await?;
    guarded.is_for_the_shop(&token, "lamp").await?;
    guarded.serves_its_pod().await?;
    let other = token_of(site, space, "default", "kvs").await?;
    let status = guarded.asks("GET", "/kv/shop/lamp", &other).await?;
    expect(status == 401, || format!("another ServiceAccount is answered {status}"))?;
    Ok(format!(
        "believed after {took:.1?}, checked by the API server's keys; written below shop/, refused \
         elsewhere; another account is nobody"
    ))
}
