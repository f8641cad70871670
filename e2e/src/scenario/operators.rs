//! Two operators: one acts, and the other takes over.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;
use tokio::time::sleep;

use super::Outcome;
use crate::audit::{self, Audit};
use crate::failure::{Failure, expect};
use crate::site::{Agent, Cluster, OPERATOR, OPERATOR_SPACE, Site};
use crate::wait::until;

/// Within which another one acts: the first killed, or told to stop.
const BARS: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(3)];
/// Nobody takes the lease of an operator that was killed sooner: it must run out.
const LEASED: Duration = Duration::from_secs(10);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let cluster = Cluster::new(site, space, "db");
    cluster.make(json!({ "replicas": 1 })).await?;
    cluster.settles(1, Duration::from_secs(90)).await?;
    let killed = site.kill_leader().await? + acts(&cluster).await?;
    expect(killed >= LEASED || !site.has_machines(), || {
        format!("another one acted after {killed:.1?}: the first one let go, and was not killed")
    })?;
    site.scale_operator(2).await?;
    let stopped = site.end_leader(None).await? + acts(&cluster).await?;
    site.scale_operator(2).await?;
    expect(killed <= BARS[0] && stopped <= BARS[1], || {
        format!("killed: {killed:.1?}, stopped: {stopped:.1?}; allowed are {BARS:?}")
    })?;
    cluster.ask_for(json!({ "replicas": 2 })).await?;
    let grown = cluster.settles(2, Duration::from_secs(90)).await?;
    Ok(format!(
        "{}: a child that was deleted was back {killed:.1?} later by the other one; stopped: {stopped:.1?}; \
         1→2 by the third leader in {grown:.0?}",
        site.how_killed(),
    ))
}

/// How long it takes until a child that is deleted is made again.
async fn acts(cluster: &Cluster) -> Result<Duration, Failure> {
    let services = cluster.of::<Service>();
    services.delete(&cluster.name, &DeleteParams::default()).await?;
    let ((), took) = until("its Service is made again", Duration::from_mins(1), async || {
        Ok(services.get_opt(&cluster.name).await?.map(drop))
    })
    .await?;
    Ok(took)
}

/// How long it is frozen: longer than a lease is valid.
const FROZEN: Duration = Duration::from_mins(1);
/// How long it is watched afterwards.
const AFTERWARDS: Duration = Duration::from_secs(20);

pub(super) async fn frozen(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    // Whoever answers nothing is started again otherwise, before it can go on.
    probe(site, false).await?;
    let done = freeze(site, &cluster, &agent).await;
    probe(site, true).await?;
    done
}

async fn freeze(site: &Site, cluster: &Cluster, agent: &Agent) -> Outcome {
    cluster.make(json!({})).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    agent.load("db", 100, 100).await?;
    cluster.ask_for(json!({ "config": { "revisions": 5 } })).await?;
    cluster.says("Progressing", "True", "Rollout", Duration::from_mins(1)).await?;
    let (leader, _) = site.leader(Duration::from_secs(30)).await?;
    site.signal("STOP", &leader).await?;
    sleep(FROZEN).await;
    let from = site.audit()?;
    site.signal("CONT", &leader).await?;
    let settled = cluster.settles(3, Duration::from_mins(3)).await?;
    sleep(AFTERWARDS).await;
    let stale = stale(&from, &leader)?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(format!(
        "{leader} frozen for {FROZEN:?} in a rollout, which another one finished {settled:.0?} \
         later; of its {stale} requests since none wrote anything; {} writes, none failed, {} keys \
         on every node",
        report.written, found.keys,
    ))
}

/// What a pod asked for, if none of it changed anything.
fn stale(from: &Audit, pod: &str) -> Result<usize, Failure> {
    let requests = from.of_operator()?;
    let of_pod: Vec<_> = requests.into_iter().filter(|request| request.is_of_pod(pod)).collect();
    let wrote = |request: &&audit::Request| request.writes() && request.succeeded();
    let written: Vec<_> = of_pod.iter().filter(wrote).cloned().collect();
    expect(written.is_empty(), || format!("it wrote:\n{}", audit::lines(&written)))?;
    Ok(of_pod.len())
}

/// Whether operators are started again that do not answer.
async fn probe(site: &Site, probed: bool) -> Result<(), Failure> {
    let all: Api<Deployment> = Api::namespaced(site.client.clone(), OPERATOR_SPACE);
    let probe = if probed {
        json!({ "httpGet": { "path": "/livez", "port": "health" } })
    } else {
        json!(null)
    };
    let containers = json!([{ "name": "operator", "livenessProbe": probe }]);
    let patch = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
    all.patch(OPERATOR, &PatchParams::default(), &Patch::Strategic(patch)).await?;
    site.scale_operator(0).await?;
    site.scale_operator(2).await?;
    site.leader(Duration::from_mins(1)).await.map(drop)
}
