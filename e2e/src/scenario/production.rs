//! The example for production on three machines, and what people ask of `kubectl kvs` meanwhile.

use std::fs;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Secret, Service};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Outcome;
use super::rolling::{never_two_down, replaced};
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Authority, Cluster, Site};
use crate::wait::until;

const EXAMPLE: &str = include_str!("../../../examples/kubernetes/production.yaml");
const NODES: usize = 5;
/// What is asked a second, of reads and of writes.
const LOAD: u32 = 100;
const WITHIN: Duration = Duration::from_mins(3);
/// Lines of Secrets that are shorter may be found anywhere.
const LONG: usize = 40;
/// Within which a `ServiceMonitor` comes back: it is not watched, for most clusters do not know that kind, and a
/// settled cluster is looked at every 30 s.
const BACK: Duration = Duration::from_secs(45);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let authority = Authority::new(site, space, "authority").await?;
    let names = [format!("orders.{space}.svc"), format!("*.{space}.svc")];
    authority.issue(site, space, "orders-tls", &names).await?;
    let cluster = Cluster::new(site, space, "orders");
    cluster
        .make_as(
            EXAMPLE,
            json!({
                // There is no class `fast`, and there are two processors.
                "storage": { "storageClassName": null },
                "resources": { "requests": { "cpu": "50m", "memory": "64Mi" } },
                // Each node is asked for what was written, by a name of its own.
                "service": { "perPod": true },
                "monitoring": true,
            }),
        )
        .await?;
    let agent = Agent::with_authority(site, space, "authority").await?;
    let made = cluster.settles(5, WITHIN).await?;
    let (token, url) = (cluster.root_token().await?, format!("https://orders.{space}.svc:8080"));
    agent.load_as(&token, &url, LOAD).await?;
    let (changed, monitored) = tokio::try_join!(canary(&cluster), monitored(&cluster))?;
    not_monitored(&cluster).await?;
    let report = agent.end_without_failure().await?;
    let nodes: Vec<String> =
        (0..NODES).map(|ordinal| format!("https://orders-{ordinal}.{space}.svc:8080")).collect();
    let found = agent.find_as(&token, &nodes, Duration::from_secs(30)).await?;
    looked_at(&cluster).await?;
    let kept = gathered(&cluster).await?;
    Ok(format!(
        "{NODES} nodes with TLS in {made:.0?}; a change waited after one pod, was promoted and done in \
         {changed:.0?}; its ServiceMonitor was back {monitored:.0?} after it was edited or deleted, and gone once \
         switched off; {} writes and {} reads, none failed; {} keys on every node; kubectl kvs plan, status, \
         promote, members, logs, backup, gather: {kept} lines of Secrets, none in the archive",
        report.written, report.read, found.keys,
    ))
}

/// A change that waits after one pod until a person releases it.
async fn canary(cluster: &Cluster) -> Result<Duration, Failure> {
    let (before, began) = (cluster.uids().await?, Instant::now());
    planned(cluster).await?;
    cluster.ask_for(json!({ "config": { "revisions": 20 } })).await?;
    let waiting = until("the change waits after one pod", WITHIN, async || {
        let said = cluster.plugin(&["status", "orders"]).await?;
        let waits = said.contains("kubectl kvs promote") && new(cluster, &before).await? > 0;
        expect(waits, || said)?;
        Ok(Some(()))
    });
    never_two_down(cluster, NODES, waiting).await?;
    let new = new(cluster, &before).await?;
    expect(new == 1, || format!("{new} pods got the change before it was promoted"))?;
    cluster.plugin(&["promote", "orders"]).await?;
    never_two_down(cluster, NODES, replaced(cluster, &before)).await?;
    Ok(began.elapsed())
}

fn monitors(cluster: &Cluster) -> Api<DynamicObject> {
    let Cluster { site, space, .. } = cluster;
    kubernetes::api(&site.client, space, "monitoring.coreos.com/v1", "ServiceMonitor")
}

/// Its `ServiceMonitor` leads to ports that are there, and comes back when it is edited, and when it is deleted. How
/// long that takes at most.
async fn monitored(cluster: &Cluster) -> Result<Duration, Failure> {
    let (monitors, name) = (monitors(cluster), cluster.name.as_str());
    let (made, _) =
        until("there is a ServiceMonitor", WITHIN, async || Ok(monitors.get_opt(name).await?))
            .await?;
    let wanted = made.data["spec"].clone();
    let endpoints = json!([{ "port": "client", "path": "/metrics", "scheme": "https" }]);
    expect(wanted["endpoints"] == endpoints, || format!("the ServiceMonitor: {wanted}"))?;
    let labels = wanted["selector"]["matchLabels"].as_object().into_iter().flatten();
    let labels: Vec<String> =
        labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("?"))).collect();
    let meant = ListParams::default().labels(&labels.join(","));
    let services = cluster.of::<Service>().list(&meant).await?.items;
    // By two of them each node would be asked twice.
    expect(!labels.is_empty() && services.len() == 1 && services.iter().all(has_client), || {
        format!(
            "the ServiceMonitor is about {} Services, not one that has the port",
            services.len()
        )
    })?;

    let is_back = async |other: Option<String>| {
        let ((), took) = until("the ServiceMonitor is as it was", BACK, async || {
            let now = monitors.get_opt(name).await?.filter(|now| now.uid() != other);
            Ok(now.filter(|now| now.data["spec"] == wanted).map(drop))
        })
        .await?;
        Ok::<Duration, Failure>(took)
    };
    let edit = Patch::Merge(json!({ "spec": { "endpoints": [] } }));
    let edited = monitors.patch(name, &PatchParams::default(), &edit).await?;
    expect(edited.data["spec"] != wanted, || "the ServiceMonitor was not edited".into())?;
    let mended = is_back(None).await?;
    monitors.delete(name, &DeleteParams::default()).await?;
    Ok(mended.max(is_back(made.uid()).await?))
}

fn has_client(service: &Service) -> bool {
    let ports = service.spec.iter().filter_map(|spec| spec.ports.as_ref()).flatten();
    ports.into_iter().any(|port| port.name.as_deref() == Some("client"))
}

/// Once it is no longer asked for, the `ServiceMonitor` goes.
async fn not_monitored(cluster: &Cluster) -> Result<(), Failure> {
    cluster.ask_for(json!({ "monitoring": false })).await?;
    until("the ServiceMonitor is gone", BACK, async || {
        Ok(monitors(cluster).get_opt(&cluster.name).await?.is_none().then_some(()))
    })
    .await
    .map(drop)
}

/// How many of its pods are none of these.
async fn new(cluster: &Cluster, before: &[String]) -> Result<usize, Failure> {
    Ok(cluster.uids().await?.iter().filter(|uid| !before.contains(uid)).count())
}

/// What the change will come to is said before it is applied.
async fn planned(cluster: &Cluster) -> Result<(), Failure> {
    let live = cluster.get().await?;
    let mut asked = json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsCluster",
        "metadata": { "name": cluster.name, "namespace": cluster.space },
        "spec": serde_json::to_value(&live.spec)?,
    });
    asked["spec"]["config"]["revisions"] = json!(20);
    let file = cluster.site.folder("plan")?.join("orders.yaml");
    fs::write(&file, serde_saphyr::to_string(&asked)?)?;
    let said = cluster.plugin(&["plan", "-f", &file.display().to_string()]).await?;
    expect(said.contains("restart"), || format!("plan says: {said}"))?;
    let still = cluster.get().await?;
    expect(still.metadata.generation == live.metadata.generation, || "a plan was applied".into())
}

/// Members, logs and a backup, each with all that is to be seen.
async fn looked_at(cluster: &Cluster) -> Result<(), Failure> {
    let members = cluster.plugin(&["members", "orders"]).await?;
    expect(members.lines().count() == NODES + 1, || format!("members: {members}"))?;
    let logs = cluster.plugin(&["logs", "orders", "--tail", "3"]).await?;
    for pod in cluster.pods().await? {
        let name = pod.name_any();
        let said = logs.lines().any(|line| line.starts_with(&name));
        expect(said, || format!("no log of {name}"))?;
    }
    let backup = cluster.plugin(&["backup", "orders"]).await?;
    expect(backup.contains("bytes"), || format!("backup: {backup}"))
}

/// One archive for a report, in which nothing of any Secret is. How many lines were looked for.
async fn gathered(cluster: &Cluster) -> Result<usize, Failure> {
    let file = cluster.site.folder("gather")?.join("orders.tar");
    cluster.plugin(&["gather", "orders", "-o", &file.display().to_string()]).await?;
    let archive = String::from_utf8_lossy(&fs::read(&file)?).into_owned();
    expect(archive.contains("kvs-gather/orders-4.log"), || "a log is missing".into())?;
    let mut looked = 0;
    for secret in cluster.of::<Secret>().list(&ListParams::default()).await?.items {
        for line in lines(&secret)? {
            let found = archive.contains(&line);
            expect(!found, || format!("something of Secret {} is in it", secret.name_any()))?;
            looked += 1;
        }
    }
    expect(looked > 0, || "there is nothing in the Secrets to look for".into())?;
    Ok(looked)
}

/// What of a Secret would be known again: its long lines, and all of it as the API has it.
fn lines(secret: &Secret) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let coded = serde_json::to_value(&secret.data)?;
    found.extend(coded.as_object().into_iter().flatten().filter_map(|(_, value)| text(value)));
    for bytes in secret.data.iter().flatten().map(|(_, bytes)| bytes) {
        let plain = String::from_utf8_lossy(&bytes.0).into_owned();
        found.extend(plain.lines().map(str::to_owned));
    }
    found.retain(|line| line.len() >= LONG && !line.starts_with('#'));
    Ok(found)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
