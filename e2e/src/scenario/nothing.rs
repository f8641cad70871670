//! From nothing to a store that every node serves.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
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
    is_one_store(&cluster, agent).await?;
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
    let stopped = stopped_operator(site).await;
    let ready = until("three pods are ready", Duration::from_secs(90), async || {
        let pods = cluster.pods().await?;
        Ok((pods.iter().filter(|pod| kubernetes::is_ready(pod)).count() == 3).then_some(()))
    });
    let done = match stopped {
        Ok(()) => match ready.await {
            Ok(_) => is_one_store(&cluster, agent).await,
            Err(failure) => Err(failure),
        },
        Err(failure) => Err(failure),
    };
    let took = began.elapsed();
    site.scale_operator(2).await?;
    done?;
    Ok(took)
}

/// Deletes the operators' pods along with their Deployment's wish for any; does not wait.
async fn stopped_operator(site: &Site) -> Result<(), Failure> {
    let object = serde_json::json!({ "spec": { "replicas": 0 } });
    let all = kubernetes::api(&site.client, OPERATOR_SPACE, "apps/v1", "Deployment");
    all.patch(OPERATOR, &kube::api::PatchParams::default(), &kube::api::Patch::Merge(object))
        .await?;
    Ok(())
}

/// A key that is written through one node is read from all.
async fn is_one_store(cluster: &Cluster, agent: &Agent) -> Result<(), Failure> {
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
    Ok(())
}
