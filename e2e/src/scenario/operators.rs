//! Two operators: one acts, and the other takes over.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams};
use serde_json::json;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::site::{Cluster, OPERATOR_SPACE, Site};
use crate::wait::until;

/// Within which another one acts: the first killed, or told to stop.
const BARS: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(3)];

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let cluster = Cluster::new(site, space, "db");
    cluster.make(json!({ "replicas": 1 })).await?;
    cluster.settles(1, Duration::from_secs(90)).await?;
    let killed = without_leader(site, Some(0)).await?;
    site.scale_operator(2).await?;
    let stopped = without_leader(site, None).await?;
    site.scale_operator(2).await?;
    expect(killed <= BARS[0] && stopped <= BARS[1], || {
        format!("killed: {killed:.1?}, stopped: {stopped:.1?}; allowed are {BARS:?}")
    })?;
    cluster.ask_for(json!({ "replicas": 2 })).await?;
    let grown = cluster.settles(2, Duration::from_secs(90)).await?;
    Ok(format!(
        "killed: {killed:.1?}; stopped: {stopped:.1?}; 1→2 by the third leader in {grown:.0?}"
    ))
}

/// How long it takes until another operator has the lease.
async fn without_leader(site: &Site, grace: Option<u32>) -> Result<Duration, Failure> {
    let (leader, _) = site.leader(Duration::from_secs(30)).await?;
    let pods: Api<Pod> = Api::namespaced(site.client.clone(), OPERATOR_SPACE);
    let delete = DeleteParams { grace_period_seconds: grace, ..DeleteParams::default() };
    pods.delete(&leader, &delete).await?;
    let (_, took) = until("another operator acts", Duration::from_mins(1), async || {
        Ok(site.holder().await?.filter(|holder| *holder != leader))
    })
    .await?;
    Ok(took)
}
