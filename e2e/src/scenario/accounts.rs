//! Pods as users, by the tokens that Kubernetes gives them.

use std::time::Duration;

use kube::ResourceExt as _;
use serde_json::json;

use super::{Outcome, examples, users};
use crate::failure::{Failure, expect};
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

const EXAMPLE: &str = include_str!("../../../examples/kubernetes/application.yaml");
/// Where the application of the example has its token.
const TOKEN: &str = "/var/run/kvs/token";
const WITHIN: Duration = Duration::from_secs(90);

/// An application's own token writes below its prefix and nowhere else.
pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (issuer, cluster) = (site.issuer().await?, Cluster::new(site, space, "db"));
    cluster.make_as(EXAMPLE, json!({ "config": { "kubernetes": { "issuer": issuer } } })).await?;
    examples::apply_beside(site, space, EXAMPLE).await?;
    let orders = Agent::in_pod(site, space, &|pod| pod.name_any().starts_with("orders-")).await?;
    cluster.settles(3, WITHIN).await?;
    let url = format!("http://db.{space}.svc:8080/kv");
    let (below, beside) = (format!("{url}/orders/a"), format!("{url}/other/a"));
    let unknown = orders.ask_as(TOKEN, "GET", &below, None).await?;
    expect(unknown.status == 401 && unknown.body.contains("identity-unmapped"), || {
        format!("nobody made the user: {unknown:?}")
    })?;
    // As the example says it is done.
    let user = format!("system:serviceaccount:{space}:orders");
    let scopes = ["--scope", "read:orders", "--scope", "write:orders"];
    cluster.kvs(&[&["user", "create", &user][..], &scopes].concat()).await?;
    until("the pod writes below its prefix", Duration::from_secs(10), async || {
        let written = orders.ask_as(TOKEN, "PUT", &below, Some("1")).await?;
        expect((200..300).contains(&written.status), || format!("{written:?}"))?;
        Ok::<_, Failure>(Some(()))
    })
    .await?;
    let refused = orders.ask_as(TOKEN, "PUT", &beside, Some("1")).await?;
    expect(refused.status == 403, || format!("beside its prefix: {refused:?}"))?;
    let other = users::token_of(site, space, "orders", &issuer).await?;
    let wrong = orders.ask("PUT", &below, Some("1"), Some(&other)).await?;
    expect(wrong.status == 401, || format!("a token for another audience: {wrong:?}"))?;
    Ok("application.yaml: checked by the API server's keys, written below its prefix, 403 beside it, 401 \
        before there was a user and with a token for another audience"
        .into())
}
