//! A cluster is lost with all its disks, and another one begins with its backup.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::{Outcome, backups};
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Bucket, Cluster, Site};
use crate::wait::until;

const BACKED_UP: &str = include_str!("../../../examples/kubernetes/backup-s3.yaml");
const EXAMPLE: &str = include_str!("../../../examples/kubernetes/from-backup.yaml");
const WITHIN: Duration = Duration::from_mins(2);
/// Within which a backup that is not there is named.
const NAMED: Duration = Duration::from_mins(1);
/// A backup that nobody made.
const ABSENT: &str = "kvs-000000000000-20260101T000000000Z";
/// A key that was written after the backup.
const LATER: &str = "e2e/later";

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let image = site.s3().ok_or_else(|| Failure::new("there is no server of S3 here"))?;
    let bucket = Bucket::start(site, space, image).await?;
    let (old, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    old.make_as(BACKED_UP, bucket.spec()).await?;
    old.settles(3, WITHIN).await?;
    agent.load("db", 300, 0).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let report = agent.end_without_failure().await?;
    let (name, size) = back_up(&old).await?;
    put_later(&agent, space).await?;
    lose(&old).await?;
    let named = absent_is_named(site, space, &bucket).await?;
    let new = Cluster::new(site, space, "restored");
    let spec = spec(&bucket, &name)?;
    new.make(spec.clone()).await?;
    site.kill_leader().await?;
    let restored = new.settles(3, WITHIN).await?;
    let found = agent.find(&new.addresses().await?, Duration::from_secs(30)).await?;
    expect_no_later(&agent, space).await?;
    let again = made_again(&new, &agent, spec).await?;
    Ok(format!(
        "{} writes in a backup of {size} bytes in S3; all disks deleted; with the operator {} meanwhile, \
         three nodes converged {restored:.0?} later, {} keys on every node and nothing later; a backup that \
         is not there named after {named:.0?}; made again on its disks with what was written since in \
         {again:.0?}",
        report.written,
        site.how_killed(),
        found.keys,
    ))
}

/// A backup of all that was written; its name and its size.
async fn back_up(cluster: &Cluster) -> Result<(String, i64), Failure> {
    let object = json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsBackup",
        "metadata": { "name": "last" }, "spec": { "cluster": cluster.name },
    });
    kubernetes::apply_object(&cluster.site.client, &cluster.space, &object).await?;
    let (status, _) = backups::over(cluster, "last").await?;
    let name = status.backup.clone().ok_or_else(|| Failure::new(format!("{status:?}")))?;
    Ok((name, status.size.unwrap_or_default()))
}

async fn put_later(agent: &Agent, space: &str) -> Result<(), Failure> {
    let url = format!("http://db.{space}.svc:8080/kv/{LATER}");
    let put = agent.ask("PUT", &url, Some("1"), None).await?;
    expect((200..300).contains(&put.status), || format!("{put:?}"))
}

async fn expect_no_later(agent: &Agent, space: &str) -> Result<(), Failure> {
    let url = format!("http://restored.{space}.svc:8080/kv/{LATER}");
    let got = agent.ask("GET", &url, None, None).await?;
    expect(got.status == 404, || format!("what was written after the backup: {got:?}"))
}

/// The cluster goes, and all its disks. Its cluster file stays.
async fn lose(cluster: &Cluster) -> Result<(), Failure> {
    cluster.delete().await?;
    for claim in cluster.claims().await? {
        let claims = cluster.of::<PersistentVolumeClaim>();
        claims.delete(&claim.name_any(), &DeleteParams::default()).await?;
    }
    until("all of it is gone", WITHIN, async || {
        let left = cluster.claims().await?.len() + cluster.pods().await?.len();
        Ok((left == 0).then_some(()))
    })
    .await?;
    Ok(())
}

/// What a cluster is told that begins with this backup: the example, with the bucket that is there.
fn spec(bucket: &Bucket, name: &str) -> Result<Value, Failure> {
    let mut objects = kubernetes::objects(EXAMPLE)?;
    let example = objects.first_mut().ok_or_else(|| Failure::new("an example"))?;
    let mut spec = example["spec"].take();
    let backup = &mut spec["bootstrap"]["fromBackup"];
    (backup["name"], backup["endpoint"]) = (json!(name), json!(bucket.endpoint));
    backup["region"] = json!("us-east-1");
    spec["storage"]["size"] = json!("1Gi");
    spec["caConfigMap"] = json!(bucket.authority);
    Ok(spec)
}

/// A backup that is not there is named, and nothing is made in its place.
async fn absent_is_named(site: &Site, space: &str, bucket: &Bucket) -> Result<Duration, Failure> {
    let wrong = Cluster::new(site, space, "wrong");
    wrong.make(spec(bucket, ABSENT)?).await?;
    let (said, took) = wrong.says("Degraded", "True", "RestoreFails", NAMED).await?;
    expect(said.contains(ABSENT), || format!("the message names no backup: {said}"))?;
    expect(wrong.pods().await?.is_empty(), || "there are pods without the backup".into())?;
    lose(&wrong).await?;
    let pod = wrong.of::<Pod>();
    until("who looked for it is gone", WITHIN, async || {
        Ok(pod.get_opt("wrong-restore").await?.is_none().then_some(()))
    })
    .await?;
    Ok(took)
}

/// What was written since is there when the cluster is made again: no backup comes back over it.
async fn made_again(cluster: &Cluster, agent: &Agent, spec: Value) -> Result<Duration, Failure> {
    agent.load("restored", 100, 0).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    agent.end_without_failure().await?;
    cluster.delete().await?;
    until("its pods are gone", WITHIN, async || Ok(cluster.pods().await?.is_empty().then_some(())))
        .await?;
    cluster.make(spec).await?;
    let took = cluster.settles(3, WITHIN).await?;
    agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    Ok(took)
}
