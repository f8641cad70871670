//! Settled means silent, and what others change comes back.

use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PropagationPolicy};
use serde_json::json;
use tokio::time::sleep;

use super::Outcome;
use crate::audit::{self, Request};
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

/// How long it is listened, each time; and where time is short.
const LISTEN: [Duration; 2] = [Duration::from_mins(5), Duration::from_mins(1)];
/// Within which a child comes back.
const BACK: Duration = Duration::from_secs(5);
/// The children: version, kind, and whether it may be deleted with what it has made.
const CHILDREN: &[(&str, &str)] = &[
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("apps/v1", "StatefulSet"),
];

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    // Whatever earlier scenarios left is gone by then.
    sleep(Duration::from_secs(15)).await;
    let time = LISTEN[usize::from(site.is_gate())];
    // What is silent under writes is so without any.
    let idle = if site.is_gate() { None } else { Some(listen(site, time).await?) };
    agent.load("db", 200, 0).await?;
    let busy = listen(site, time).await?;
    let report = agent.end_without_failure().await?;
    let after = restarted(site).await?;
    let (children, slowest) = children_come_back(&cluster).await?;
    cluster.settles(3, Duration::from_mins(1)).await?;
    let idle = idle.map_or("not listened to".into(), |rate| format!("{rate:.2} reads/s"));
    Ok(format!(
        "{time:?} each: settled {idle}, {busy:.2} reads/s under {} writes, no write; {after} reads and no \
         write after a restart; {children} children came back, the slowest after {slowest:.1?}",
        report.written,
    ))
}

/// Reads a second while nothing may be written.
async fn listen(site: &Site, time: Duration) -> Result<f64, Failure> {
    let from = site.audit()?;
    sleep(time).await;
    let requests = from.of_operator()?;
    let reads = silent(&requests)?;
    let rate = f64::from(u32::try_from(reads).unwrap_or(u32::MAX)) / time.as_secs_f64();
    expect(rate < 1.0, || format!("{rate:.2} reads/s:\n{}", audit::lines(&requests)))?;
    Ok(rate)
}

/// How many reads there are, if there is no write.
fn silent(requests: &[Request]) -> Result<usize, Failure> {
    let others: Vec<Request> =
        requests.iter().filter(|request| !request.is_lease()).cloned().collect();
    let (writes, reads): (Vec<Request>, Vec<Request>) =
        others.into_iter().partition(Request::writes);
    expect(writes.is_empty(), || format!("it wrote:\n{}", audit::lines(&writes)))?;
    Ok(reads.len())
}

/// Reads of operators that are started anew.
async fn restarted(site: &Site) -> Result<usize, Failure> {
    site.scale_operator(0).await?;
    let from = site.audit()?;
    site.scale_operator(2).await?;
    site.leader(Duration::from_mins(1)).await?;
    sleep(Duration::from_secs(15)).await;
    silent(&from.of_operator()?)
}

/// Deletes every child, one by one; edits those that can be.
async fn children_come_back(cluster: &Cluster) -> Result<(usize, Duration), Failure> {
    let ours = ListParams::default().labels(&format!(
        "app.kubernetes.io/managed-by=kvs-operator,app.kubernetes.io/instance={}",
        cluster.name
    ));
    let (mut count, mut slowest) = (0, Duration::ZERO);
    for (version, kind) in CHILDREN {
        let api = kubernetes::api(&cluster.site.client, &cluster.space, version, kind);
        for child in api.list(&ours).await?.items {
            let name = child.name_any();
            let edit =
                json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": "nobody" } } });
            let orphan = DeleteParams {
                propagation_policy: Some(PropagationPolicy::Orphan),
                ..DeleteParams::default()
            };
            api.patch(&name, &PatchParams::default(), &Patch::Merge(edit)).await?;
            let what = format!("{kind} {name} is as it was");
            let (_, mended) = until(&what, BACK, async || {
                let label =
                    api.get(&name).await?.labels().get("app.kubernetes.io/managed-by").cloned();
                Ok(label.filter(|label| label == "kvs-operator"))
            })
            .await?;
            api.delete(&name, &orphan).await?;
            let what = format!("{kind} {name} is made again");
            let (_, made) = until(&what, BACK, async || {
                let now = api.get_opt(&name).await?;
                Ok(now.filter(|now| now.uid() != child.uid()))
            })
            .await?;
            slowest = slowest.max(mended).max(made);
            count += 1;
        }
    }
    Ok((count, slowest))
}
