//! `KvsBackup` and `KvsBackupSchedule`: each backup is made once, whatever becomes of the operator.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use kvs_operator_core::crd::{BackupPhase, KvsBackup, KvsBackupStatus};
use serde_json::{Value, json};

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Cluster, Site};
use crate::wait::until;

const ONE: &str = include_str!("../../../examples/kubernetes/backup.yaml");
const NIGHTLY: &str = include_str!("../../../examples/kubernetes/backup-schedule.yaml");
/// How long one may take.
const MADE: Duration = Duration::from_mins(1);
/// Within which a schedule of every minute has made two and deleted the first.
const TWICE: Duration = Duration::from_secs(200);
/// How many are asked for while operators are killed.
const KILLS: usize = 5;

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let cluster = Cluster::new(site, space, "db");
    kubernetes::apply(&site.client, space, ONE).await?;
    let waits = until("it waits for its cluster", MADE, async || {
        let status = status(&cluster, "before-the-upgrade").await?;
        Ok(status.message.filter(|said| said.contains("there is no KvsCluster db")))
    });
    waits.await?;
    cluster.make(json!({})).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    let (first, took) = over(&cluster, "before-the-upgrade").await?;
    expect(first.phase == BackupPhase::Succeeded && first.size > Some(0), || format!("{first:?}"))?;
    let kills = killed(&cluster).await?;
    let made = on_disks(&cluster).await?;
    let known = backups(&cluster).await?;
    let told: BTreeSet<String> =
        known.iter().filter_map(|one| one.status.as_ref()?.backup.clone()).collect();
    expect(made == told, || format!("there are {made:?}, and KvsBackups tell of {told:?}"))?;
    let minutes = scheduled(&cluster).await?;
    Ok(format!(
        "one in {took:.1?}; {KILLS} asked for as the operator was ended, the first time {}: {kills}; {} backups, each of one \
         KvsBackup; every minute: two made and the first KvsBackup deleted within {minutes:.0?}",
        cluster.site.how_killed(),
        made.len(),
    ))
}

fn all(cluster: &Cluster) -> Api<KvsBackup> {
    cluster.of()
}

async fn backups(cluster: &Cluster) -> Result<Vec<KvsBackup>, Failure> {
    Ok(all(cluster).list(&ListParams::default()).await?.items)
}

async fn status(cluster: &Cluster, name: &str) -> Result<KvsBackupStatus, Failure> {
    Ok(all(cluster).get(name).await?.status.unwrap_or_default())
}

/// What became of one.
pub(super) async fn over(
    cluster: &Cluster,
    name: &str,
) -> Result<(KvsBackupStatus, Duration), Failure> {
    until(&format!("{name} is over"), MADE, async || {
        let status = status(cluster, name).await?;
        Ok(status.phase.is_over().then_some(status))
    })
    .await
}

/// Asks for some, each as the operator is killed; what they came to.
async fn killed(cluster: &Cluster) -> Result<String, Failure> {
    let mut failed = 0;
    for number in 0..KILLS {
        let name = format!("killed-{number}");
        let object = json!({
            "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsBackup",
            "metadata": { "name": name }, "spec": { "cluster": cluster.name },
        });
        kubernetes::apply_object(&cluster.site.client, &cluster.space, &object).await?;
        let site = &cluster.site;
        // Who is killed holds the lease for a while: once is enough.
        let ended =
            if number == 0 { site.kill_leader().await } else { site.end_leader(Some(0)).await };
        ended?;
        let (status, _) = over(cluster, &name).await?;
        failed += usize::from(status.phase == BackupPhase::Failed);
    }
    Ok(format!("{} made, {failed} told as failed", KILLS - failed))
}

/// The names of all backups that nodes have.
async fn on_disks(cluster: &Cluster) -> Result<BTreeSet<String>, Failure> {
    let mut names = BTreeSet::new();
    for pod in cluster.pods().await? {
        for name in cluster.backups_of(&pod.name_any()).await? {
            names.insert(name);
        }
    }
    Ok(names)
}

/// A schedule that makes one every minute and keeps one; how long until it has deleted the first.
async fn scheduled(cluster: &Cluster) -> Result<Duration, Failure> {
    let mut objects = kubernetes::objects(NIGHTLY)?;
    let schedule: &mut Value = objects.first_mut().ok_or_else(|| Failure::new("an example"))?;
    schedule["spec"]["schedule"] = json!("* * * * *");
    schedule["spec"]["keep"] = json!(1);
    kubernetes::apply_object(&cluster.site.client, &cluster.space, schedule).await?;
    let mut seen = BTreeSet::new();
    let ((), took) = until("the first of two is deleted", TWICE, async || {
        let now: Vec<KvsBackup> = backups(cluster).await?;
        let own = now.iter().filter(|one| one.name_any().starts_with("nightly-"));
        let running = own
            .clone()
            .filter(|one| !one.status.as_ref().is_some_and(|status| status.phase.is_over()));
        expect(running.count() <= 1, || "two are made at once".into())?;
        let own: BTreeSet<String> = own.map(kube::ResourceExt::name_any).collect();
        let gone = seen.difference(&own).count();
        seen.extend(own);
        Ok((seen.len() >= 2 && gone == 1).then_some(()))
    })
    .await?;
    Ok(took)
}
