//! From nothing to a store that every node serves.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;
use tokio::time::Instant;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, OPERATOR, OPERATOR_SPACE, Site};
use crate::wait::until;

const SMALLEST: &str = include_str!("../../../examples/kubernetes/smallest.yaml");
/// With an operator, and without one from when the objects are made.
const BARS: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(45)];

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let agent = Agent::start(site, space).await?;
    let with = with_operator(site, space, &agent).await?;
    let without = without_operator(site, space, &agent).await?;
    expect(with <= BARS[0] && without <= BARS[1], || {
        format!("{with:.1?} with an operator, {without:.1?} without; allowed are {BARS:?}")
    })?;
    Ok(format!("{with:.1?} with an operator, {without:.1?} without one"))
}

async fn with_operator(site: &Site, space: &str, agent: &Agent) -> Result<Duration, Failure> {
    let cluster = Cluster::new(site, space, "db");
    let began = Instant::now();
    kubernetes::apply(&site.client, space, SMALLEST).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    is_one_store(&cluster, agent, began).await?;
    Ok(began.elapsed())
}

/// The operator is stopped once the objects are there: pods find each other by themselves.
async fn without_operator(site: &Site, space: &str, agent: &Agent) -> Result<Duration, Failure> {
    let cluster = Cluster::new(site, space, "alone");
    let began = Instant::now();
    kubernetes::apply(&site.client, space, &SMALLEST.replace("name: db", "name: alone")).await?;
    until("the StatefulSet is made", Duration::from_secs(20), async || {
        Ok(cluster.of::<StatefulSet>().get_opt("alone").await?)
    })
    .await?;
    let done = alone(site, &cluster, agent, began).await;
    let took = began.elapsed();
    site.scale_operator(2).await?;
    done?;
    Ok(took)
}

async fn alone(
    site: &Site,
    cluster: &Cluster,
    agent: &Agent,
    began: Instant,
) -> Result<(), Failure> {
    stop_operators(site, cluster).await?;
    until("three pods are ready", Duration::from_secs(90), async || {
        Ok((ready(cluster).await? == 3).then_some(()))
    })
    .await?;
    is_one_store(cluster, agent, began).await
}

async fn ready(cluster: &Cluster) -> Result<usize, Failure> {
    Ok(cluster.pods().await?.iter().filter(|pod| kubernetes::is_ready(pod)).count())
}

/// Takes the operators away, before a node is ready: no others are wanted, and they are killed, where that can be
/// done. Until their pods are gone as well takes longer than a node does.
async fn stop_operators(site: &Site, cluster: &Cluster) -> Result<(), Failure> {
    let pods: Api<Pod> = Api::namespaced(site.client.clone(), OPERATOR_SPACE);
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/name={OPERATOR}"));
    let all: Api<Deployment> = Api::namespaced(site.client.clone(), OPERATOR_SPACE);
    let none = Patch::Merge(json!({ "spec": { "replicas": 0 } }));
    all.patch(OPERATOR, &PatchParams::default(), &none).await?;
    let gone = async || {
        let left = pods.list(&ours).await?.items;
        // Whoever is killed before is started again.
        let ending = left.iter().all(|pod| pod.metadata.deletion_timestamp.is_some());
        if !(site.has_machines() && ending) {
            return Ok(left.is_empty().then_some(()));
        }
        for pod in &left {
            // It may have ended by itself.
            let _ = site.signal("KILL", &pod.name_any()).await;
        }
        Ok(Some(()))
    };
    until("no operator runs", Duration::from_secs(20), gone).await?;
    let early = ready(cluster).await?;
    expect(early == 0, || format!("{early} pods were ready before the operators were gone"))
}

/// A key that is written through one node is read from all, and each node says that the two others are
/// members and hold what it holds.
async fn is_one_store(cluster: &Cluster, agent: &Agent, since: Instant) -> Result<(), Failure> {
    let token = cluster.root_token().await?;
    let at = cluster.addresses().await?;
    let (first, url) = (at.first().cloned().unwrap_or_default(), "/kv/e2e/hello");
    let written =
        agent.ask("PUT", &format!("{first}{url}"), Some("\"world\""), Some(&token)).await?;
    expect(written.status < 300 && written.status > 0, || format!("{written:?}"))?;
    until("every node has the key", Duration::from_secs(10), async || {
        for node in &at {
            let read = agent.ask("GET", &format!("{node}{url}"), None, Some(&token)).await?;
            expect(read.body.contains("\"data\":\"world\""), || format!("{node}: {read:?}"))?;
        }
        Ok(Some(()))
    })
    .await?;
    cluster.agrees_since(since, agent, Some(&token), Duration::from_secs(30)).await
}
