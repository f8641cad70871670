//! Many clusters for one operator.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ListParams};
use kvs_operator_core::crd::{KvsCluster, Mode};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Outcome;
use crate::audit;
use crate::failure::{Failure, expect};
use crate::site::{Cluster, OPERATOR_SPACE, Site};
use crate::wait::until;

const ASLEEP: usize = 200;
const AWAKE: usize = 10;
/// Within which all are settled, and what the operator may take.
const BAR: (Duration, u64) = (Duration::from_secs(90), 64 << 20);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let began = Instant::now();
    for number in 0..ASLEEP {
        let cluster = Cluster::new(site, space, &format!("asleep-{number}"));
        cluster.make(json!({ "mode": "Hibernated" })).await?;
    }
    for number in 0..AWAKE {
        Cluster::new(site, space, &format!("awake-{number}"))
            .make(json!({ "replicas": 1 }))
            .await?;
    }
    let made = began.elapsed();
    let all: Api<KvsCluster> = Api::namespaced(site.client.clone(), space);
    until("all are settled", Duration::from_mins(5), async || {
        let all = all.list(&ListParams::default()).await?.items;
        let open = all.iter().filter(|one| !is_settled(one)).count();
        expect(open == 0, || format!("{open} are not"))?;
        Ok(Some(()))
    })
    .await?;
    let settled = began.elapsed();
    let memory = memory(site).await?;
    let writes = writes_of_a_restart(site).await?;
    expect(settled <= BAR.0 && memory <= BAR.1, || {
        format!("settled after {settled:.0?} with {} MiB; allowed are {BAR:?}", memory >> 20)
    })?;
    Ok(format!(
        "made in {made:.0?}, settled {settled:.0?} after the first was made; {} MiB; writes of a restart: {writes}",
        memory >> 20,
    ))
}

fn is_settled(cluster: &KvsCluster) -> bool {
    let Some(status) = &cluster.status else { return false };
    let mut conditions = status.conditions.iter();
    let settled = conditions.any(|one| one.type_ == "Progressing" && one.status == "False");
    let pods = i32::from(cluster.spec.mode == Mode::Running);
    settled
        && status.ready_replicas == pods
        && status.observed_generation == cluster.metadata.generation
}

/// Of the operator that acts, by its own word.
async fn memory(site: &Site) -> Result<u64, Failure> {
    let (leader, _) = site.leader(Duration::from_secs(30)).await?;
    let text = figures(&site.client, &leader).await?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("kvs_operator_resident_memory_bytes "));
    let missing = || Failure::new("the operator does not say how much memory it takes");
    line.and_then(|number| number.trim().parse().ok()).ok_or_else(missing)
}

async fn figures(client: &Client, pod: &str) -> Result<String, Failure> {
    let uri = format!("/api/v1/namespaces/{OPERATOR_SPACE}/pods/{pod}:8081/proxy/metrics");
    Ok(client.request_text(http::Request::get(uri).body(Vec::new())?).await?)
}

async fn writes_of_a_restart(site: &Site) -> Result<String, Failure> {
    if !site.has_audit() {
        return Ok("not counted here".into());
    }
    site.scale_operator(0).await?;
    let pods: Api<Pod> = Api::namespaced(site.client.clone(), OPERATOR_SPACE);
    until("no operator is left", Duration::from_secs(30), async || {
        Ok(pods.list(&ListParams::default()).await?.items.is_empty().then_some(()))
    })
    .await?;
    let from = site.audit()?;
    site.scale_operator(2).await?;
    site.leader(Duration::from_mins(1)).await?;
    sleep(Duration::from_secs(30)).await;
    let requests = from.of_operator()?;
    let writes: Vec<_> =
        requests.into_iter().filter(|one| one.writes() && !one.is_lease()).collect();
    expect(writes.is_empty(), || format!("a restart wrote:\n{}", audit::lines(&writes)))?;
    Ok("0".into())
}
