//! Pods as users, by the tokens that Kubernetes gives them.

use std::time::Duration;

use serde_json::json;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::site::{Agent, Cluster, PLACE_OF_TOKEN, Site};
use crate::wait::until;

/// Whom tokens are for.
const AUDIENCE: &str = "kvs";
const WITHIN: Duration = Duration::from_secs(90);

/// A pod's own token writes below its prefix and nowhere else.
pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let issuer = site.issuer().await?;
    let cluster = Cluster::new(site, space, "db");
    let kubernetes = json!({ "audience": AUDIENCE, "issuer": issuer });
    let config = json!({ "auth_enabled": true, "kubernetes": kubernetes });
    cluster.make(json!({ "config": config })).await?;
    let agent = Agent::with_token(site, space, AUDIENCE).await?;
    cluster.settles(3, WITHIN).await?;
    let root = cluster.root_token().await?;
    let url = format!("http://db.{space}.svc:8080");
    let unknown = agent.ask_as(PLACE_OF_TOKEN, "GET", &format!("{url}/kv/app/a"), None).await?;
    expect(unknown.status == 401 && unknown.body.contains("identity-unmapped"), || {
        format!("nobody made the user: {unknown:?}")
    })?;
    let user = json!({
        "name": format!("system:serviceaccount:{space}:default"),
        "scopes": ["read:app", "write:app"],
    });
    let users = format!("{url}/api/users");
    let made = agent.ask("POST", &users, Some(&user.to_string()), Some(&root)).await?;
    expect(made.status == 201, || format!("{made:?}"))?;
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
