//! Pods as users, by the tokens that Kubernetes gives them.

use std::time::Duration;

use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, PLACE_OF_TOKEN, Site};
use crate::wait::until;

/// Whom tokens are for.
const AUDIENCE: &str = "kvs";
const WITHIN: Duration = Duration::from_secs(90);

/// Who may have the API server review tokens.
const REVIEWERS: &str = "kvs-e2e-reviewers";
/// Within which a token is refused whose pod is gone.
const REFUSED: Duration = Duration::from_mins(2);

/// A pod's own token writes below its prefix and nowhere else, and no longer than there is the pod.
pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let issuer = site.issuer().await?;
    let agent = Agent::with_token(site, space, AUDIENCE).await?;
    let by_keys = by_keys(site, space, &agent, &issuer);
    let (by_keys, reviewed) = tokio::join!(by_keys, reviewed(site, space, &agent, &issuer));
    Ok(format!("{}; {}", by_keys?, reviewed?))
}

/// A cluster of so many that believes tokens of ServiceAccounts.
async fn cluster(
    site: &Site,
    space: &str,
    name: &str,
    replicas: i32,
    kubernetes: Value,
) -> Result<Cluster, Failure> {
    let cluster = Cluster::new(site, space, name);
    let config = json!({ "auth_enabled": true, "kubernetes": kubernetes });
    cluster.make(json!({ "replicas": replicas, "config": config })).await?;
    cluster.settles(replicas, WITHIN).await?;
    Ok(cluster)
}

/// Makes the account of all pods here a user.
async fn make_user(cluster: &Cluster, agent: &Agent) -> Result<(), Failure> {
    let Cluster { space, name, .. } = cluster;
    let root = cluster.root_token().await?;
    let user = json!({
        "name": format!("system:serviceaccount:{space}:default"),
        "scopes": ["read:app", "write:app"],
    });
    let users = format!("http://{name}.{space}.svc:8080/api/users");
    let made = agent.ask("POST", &users, Some(&user.to_string()), Some(&root)).await?;
    expect(made.status == 201, || format!("{made:?}"))
}

async fn by_keys(site: &Site, space: &str, agent: &Agent, issuer: &str) -> Outcome {
    let kubernetes = json!({ "audience": AUDIENCE, "issuer": issuer });
    let cluster = cluster(site, space, "db", 3, kubernetes).await?;
    let url = format!("http://db.{space}.svc:8080");
    let unknown = agent.ask_as(PLACE_OF_TOKEN, "GET", &format!("{url}/kv/app/a"), None).await?;
    expect(unknown.status == 401 && unknown.body.contains("identity-unmapped"), || {
        format!("nobody made the user: {unknown:?}")
    })?;
    make_user(&cluster, agent).await?;
    let (below, beside) = (format!("{url}/kv/app/a"), format!("{url}/kv/other/a"));
    until("the pod writes below its prefix", Duration::from_secs(10), async || {
        let written = agent.ask_as(PLACE_OF_TOKEN, "PUT", &below, Some("1")).await?;
        expect((200..300).contains(&written.status), || format!("{written:?}"))?;
        Ok::<_, Failure>(Some(()))
    })
    .await?;
    let refused = agent.ask_as(PLACE_OF_TOKEN, "PUT", &beside, Some("1")).await?;
    expect(refused.status == 403, || format!("beside its prefix: {refused:?}"))?;
    let other = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    let wrong = agent.ask_as(other, "PUT", &below, Some("1")).await?;
    expect(wrong.status == 401, || format!("a token for another audience: {wrong:?}"))?;
    Ok("checked by the API server's keys: written below its prefix, 403 beside it, 401 before there \
        was a user and with a token for another audience"
        .into())
}

/// The API server itself is asked, by who was given the right to: it knows when a pod is gone.
async fn reviewed(site: &Site, space: &str, agent: &Agent, issuer: &str) -> Outcome {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": REVIEWERS },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
            "name": "system:auth-delegator",
        },
        "subjects": [{ "kind": "ServiceAccount", "name": "reviewed", "namespace": space }],
    });
    kubernetes::apply_object(&site.client, "", &binding).await?;
    let done = ends_with_its_pod(site, space, agent, issuer).await;
    let (all, name) = kubernetes::place(&site.client, "", &binding);
    all.delete(&name, &DeleteParams::default()).await?;
    done
}

async fn ends_with_its_pod(site: &Site, space: &str, agent: &Agent, issuer: &str) -> Outcome {
    let kubernetes = json!({ "audience": AUDIENCE, "issuer": issuer, "token_review": true });
    let cluster = cluster(site, space, "reviewed", 1, kubernetes).await?;
    make_user(&cluster, agent).await?;
    let pod = Agent::beside(site, space, "gone").await?;
    let token = pod.bound_token(AUDIENCE).await?;
    let url = format!("http://reviewed.{space}.svc:8080/kv/app/a");
    let writes = async || agent.ask("PUT", &url, Some("1"), Some(&token)).await;
    until("the pod's token writes", Duration::from_secs(10), async || {
        let written = writes().await?;
        expect((200..300).contains(&written.status), || format!("{written:?}"))?;
        Ok(Some(()))
    })
    .await?;
    pod.delete().await?;
    let (said, took) = until("the token of a pod that is gone is refused", REFUSED, async || {
        let answer = writes().await?;
        expect(matches!(answer.status, 200..300 | 401), || format!("{answer:?}"))?;
        Ok((answer.status == 401).then_some(answer.body))
    })
    .await?;
    expect(said.contains("token-disowned"), || said)?;
    Ok(format!(
        "reviewed by the API server: written, and refused {took:.0?} after the pod was gone"
    ))
}
