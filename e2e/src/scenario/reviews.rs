//! TokenReview: the API server itself is asked about tokens of pods.

use std::time::Duration;

use kube::api::DeleteParams;
use serde_json::json;

use super::Outcome;
use crate::failure::expect;
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

/// Whom tokens are for.
const AUDIENCE: &str = "kvs";
/// Who may have the API server review tokens.
const REVIEWERS: &str = "kvs-e2e-reviewers";
/// Within which a token is refused whose pod is gone.
const REFUSED: Duration = Duration::from_mins(2);

/// The API server itself is asked, by who was given the right to: it knows when a pod is gone.
pub(super) async fn run(site: &Site, space: &str) -> Outcome {
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
    let done = ends_with_its_pod(site, space).await;
    let (all, name) = kubernetes::place(&site.client, "", &binding);
    all.delete(&name, &DeleteParams::default()).await?;
    done
}

async fn ends_with_its_pod(site: &Site, space: &str) -> Outcome {
    let (issuer, cluster) = (site.issuer().await?, Cluster::new(site, space, "reviewed"));
    let kubernetes = json!({ "audience": AUDIENCE, "issuer": issuer, "token_review": true });
    let config = json!({ "auth_enabled": true, "kubernetes": kubernetes });
    cluster.make(json!({ "replicas": 1, "config": config })).await?;
    let agent = Agent::start(site, space).await?;
    cluster.settles(1, Duration::from_secs(90)).await?;
    let user = format!("system:serviceaccount:{space}:default");
    let scopes = ["--scope", "read:app", "--scope", "write:app"];
    cluster.kvs(&[&["user", "create", &user][..], &scopes].concat()).await?;
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
    Ok(format!("a pod's token writes, and is refused {took:.0?} after the pod is gone"))
}
