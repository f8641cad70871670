//! From the charts of the first release to today's, definitions of the kinds included. Images of that release
//! cannot be had: today's stand for them.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use kube::{Client, Resource, ResourceExt};
use kvs_operator_core::crd::{KvsBackup, KvsBackupSchedule, KvsCluster, KvsUser};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::Outcome;
use super::helm::{SMALL, helm, uninstalled};
use super::rolling::{never_two_down, replaced};
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

const FIRST: &str = "e2e/fixtures/first-release";
const TODAY: &str = "charts";
const KINDS: [&str; 4] = ["kvsclusters", "kvsusers", "kvsbackups", "kvsbackupschedules"];
/// A field that the first release did not know.
const NEW_FIELD: &str = "bootstrap";
const WITHIN: Duration = Duration::from_mins(2);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let done = match without_kinds(site, space).await {
        Ok(()) => life(site, space).await,
        Err(failure) => Err(failure),
    };
    // Whatever happened, others want today's definitions and the operator that they share.
    let _ = helm(&["uninstall", "kvs-operator", "-n", space, "--wait"]).await;
    site.install().await?;
    done
}

/// Takes the kinds away, as before anything was installed; not from under clusters of somebody's.
async fn without_kinds(site: &Site, space: &str) -> Result<(), Failure> {
    let spaces: Api<Namespace> = Api::all(site.client.clone());
    let ours = ListParams::default().labels("kvs-e2e=scenario");
    for other in spaces.list(&ours).await?.items.iter().map(ResourceExt::name_any) {
        if other != space {
            kubernetes::remove_namespace(&site.client, &other).await;
        }
    }
    until("there is no object of our kinds", WITHIN, async || {
        let left = left(&site.client).await?;
        expect(left.is_empty(), || format!("there are {}", left.join(", ")))?;
        Ok(Some(()))
    })
    .await?;
    site.scale_operator(0).await?;
    let all = definitions(site);
    for kind in KINDS {
        all.delete(&full(kind), &DeleteParams::default()).await?;
    }
    until("the definitions are gone", WITHIN, async || Ok((known(site).await? == 0).then_some(())))
        .await?;
    Ok(())
}

/// What there is of our kinds, in any namespace.
async fn left(client: &Client) -> Result<Vec<String>, Failure> {
    let mut names = all::<KvsCluster>(client).await?;
    names.extend(all::<KvsUser>(client).await?);
    names.extend(all::<KvsBackup>(client).await?);
    names.extend(all::<KvsBackupSchedule>(client).await?);
    Ok(names)
}

async fn all<K>(client: &Client) -> Result<Vec<String>, Failure>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let found = Api::<K>::all(client.clone()).list(&ListParams::default()).await?.items;
    let name = |one: &K| format!("{}/{}", one.namespace().unwrap_or_default(), one.name_any());
    Ok(found.iter().map(name).collect())
}

fn definitions(site: &Site) -> Api<DynamicObject> {
    kubernetes::api(&site.client, "", "apiextensions.k8s.io/v1", "CustomResourceDefinition")
}

fn full(kind: &str) -> String {
    format!("{kind}.kvs.kalzu.dev")
}

/// How many of our kinds are defined.
async fn known(site: &Site) -> Result<usize, Failure> {
    let mut known = 0;
    for kind in KINDS {
        known += usize::from(definitions(site).get_opt(&full(kind)).await?.is_some());
    }
    Ok(known)
}

/// Whether a `KvsCluster` can have what came later.
async fn is_today(site: &Site) -> Result<bool, Failure> {
    let definition = definitions(site).get(&full("kvsclusters")).await?;
    let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    Ok(definition.data.pointer(&format!("{schema}/{NEW_FIELD}")).is_some())
}

/// The operator of these charts, for all namespaces as people have it, with this image for nodes.
async fn operator(site: &Site, space: &str, charts: &str, nodes: &str) -> Result<(), Failure> {
    operator_with(site, space, charts, nodes, true).await
}

/// The same, with its definitions or those that are there. It is another pod than with the others: an operator asks
/// what is defined when it begins to act, and then every two minutes.
async fn operator_with(
    site: &Site,
    space: &str,
    charts: &str,
    nodes: &str,
    definitions: bool,
) -> Result<(), Failure> {
    let image = site.image("kvs-operator");
    let (repository, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    let values = format!(
        "image.repository={repository},image.tag={tag},nodeImage={nodes},podAnnotations.of={charts},\
         crds.install={definitions},podAnnotations.definitions=d-{definitions}"
    );
    let chart = format!("{charts}/kvs-operator");
    let upgrade = ["upgrade", "--install", "kvs-operator", &chart, "-n", space, "--wait"];
    helm(&[&upgrade[..], &["--set", &values]].concat()).await.map(drop)
}

async fn release(space: &str, charts: &str) -> Result<(), Failure> {
    let chart = format!("{charts}/kvs-cluster");
    until("the kinds are known to Helm", Duration::from_secs(20), async || {
        let upgrade = ["upgrade", "--install", "db", &chart, "-n", space, "--set", SMALL];
        helm(&upgrade).await.map(Some)
    })
    .await
    .map(drop)
}

async fn life(site: &Site, space: &str) -> Result<String, Failure> {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    operator(site, space, FIRST, &site.image("kvs")).await?;
    release(space, FIRST).await?;
    cluster.settles(3, WITHIN).await?;
    expect(!is_today(site).await?, || "the first release knows what came later".into())?;
    let pods = cluster.uids().await?;
    agent.load("db", 200, 200).await?;

    // A newer operator has a newer image for nodes; whoever forgets the definitions is told.
    operator_with(site, space, TODAY, &site.next_image(), false).await?;
    expect(!is_today(site).await?, || "definitions came that were not to be installed".into())?;
    let dropped = format!("KvsCluster.spec.{NEW_FIELD}");
    let (_, told) = cluster.says("Degraded", "True", "CrdsOlder", WITHIN).await?;
    cluster.says("Degraded", "True", &dropped, WITHIN).await?;
    operator(site, space, TODAY, &site.next_image()).await?;
    expect(is_today(site).await?, || "the upgrade brought no definitions".into())?;
    // An operator that asked before all was known asks again two minutes later.
    cluster.says("Degraded", "False", "", Duration::from_mins(3)).await?;
    cluster.says("UpdateAvailable", "True", "kubectl kvs adopt", WITHIN).await?;
    release(space, TODAY).await?;
    cluster.settles(3, WITHIN).await?;
    expect(cluster.uids().await? == pods, || "the operator's upgrade restarted pods".into())?;
    let began = Instant::now();
    cluster.plugin(&["adopt", "db"]).await?;
    never_two_down(&cluster, 3, replaced(&cluster, &pods)).await?;
    let adopted = began.elapsed();
    let report = agent.end_without_failure().await?;
    agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;

    // All of it goes, but for kinds, disks and identity; and comes back.
    uninstalled(&cluster, "db").await?;
    helm(&["uninstall", "kvs-operator", "-n", space, "--wait"]).await?;
    expect(known(site).await? == KINDS.len(), || "definitions went with the operator".into())?;
    operator(site, space, TODAY, &site.next_image()).await?;
    release(space, TODAY).await?;
    let back = cluster.settles(3, WITHIN).await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    uninstalled(&cluster, "db").await?;
    Ok(format!(
        "charts of {FIRST} to today's, with today's images for both: CrdsOlder said after {told:.0?}, until \
         today's definitions came; no pod restarted by it, UpdateAvailable said, adopted in {adopted:.0?}; {} \
         writes and {} reads, none failed; all uninstalled and installed again, back in {back:.0?} \
         with {} keys on every node",
        report.written, report.read, found.keys,
    ))
}
