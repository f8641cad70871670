//! Other releases of Kubernetes: their API server and controller manager, without machines. Whatever the
//! operator applies is taken there, and wrong manifests are refused with the same words.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Api, DeleteParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

use super::{Outcome, examples, refusals};
use crate::failure::{Failure, expect};
use crate::site::{Cluster, OPERATOR_SPACE, Site};
use crate::wait::until;
use crate::{kubernetes, machine};

/// One of each release that is supported beside the one that everything else here runs on.
const RELEASES: [&str; 3] = ["v1.35.1", "v1.34.3", "v1.33.13"];
const WITHIN: Duration = Duration::from_mins(1);

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let script = site.versions().ok_or_else(|| Failure::new("none can be started here"))?;
    let mut said = vec![format!("{}: everything above", site.version().await?)];
    for release in RELEASES {
        let judged = judge(site, space, script, release).await;
        machine::run(script, &["down", release]).await?;
        let judged = judged.map_err(|failure| Failure::new(format!("{release}: {failure}")))?;
        said.push(format!("{release}: {judged}"));
    }
    Ok(said.join("; "))
}

/// Why this cannot run here, if so: it judges all releases or none.
pub(super) fn obstacle(site: &Site) -> Option<String> {
    let Some(script) = site.versions() else {
        return Some(
            "API servers of other releases are started on machines of e2e/cluster alone".into(),
        );
    };
    let built = Command::new(script).arg("built").output().map(|done| done.stdout);
    let built = built.unwrap_or_default();
    let built = String::from_utf8_lossy(&built);
    let is_absent = |release: &&str| !built.lines().any(|one| one == *release);
    let absent: Vec<_> = RELEASES.into_iter().filter(|release| is_absent(release)).collect();
    let absent = absent.join(" ");
    (!absent.is_empty())
        .then(|| format!("not built here: {absent} ({} build {absent})", script.display()))
}

async fn judge(site: &Site, space: &str, script: &Path, release: &str) -> Outcome {
    let kubeconfig = machine::run(script, &["up", release]).await?;
    let kubeconfig = Path::new(kubeconfig.trim());
    let site = site.elsewhere(client(kubeconfig).await?);
    let version = site.version().await?;
    expect(version == release, || format!("it says that it is {version}"))?;
    site.apply_operator().await?;
    kubernetes::make_namespace(&site.client, space, true).await?;
    let refused = refusals::run(&site, space).await?;
    let examples = examples::run(&site, space).await?;
    let _operator = Operator::start(&site, kubeconfig)?;
    let made = grown(&site, space).await?;
    Ok(format!("{refused}; {examples}; {made}"))
}

async fn client(kubeconfig: &Path) -> Result<Client, Failure> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// A cluster as far as it comes without machines, changed, and ended; and one that begins with a backup.
async fn grown(site: &Site, space: &str) -> Result<String, Failure> {
    let cluster = Cluster::new(site, space, "db");
    let more = json!({ "service": { "perPod": true }, "topologySpread": [] });
    cluster.make(more).await?;
    pods(&cluster, 3).await?;
    let sets: Api<StatefulSet> = cluster.of();
    let before = sets.get("db").await?.metadata.generation;
    cluster.ask_for(json!({ "config": { "revisions": 5 }, "networkPolicy": false })).await?;
    until("the change is applied", WITHIN, async || {
        undisturbed(&cluster).await?;
        Ok((sets.get("db").await?.metadata.generation > before).then_some(()))
    })
    .await?;
    restored(site, space).await?;
    cluster.delete().await?;
    until("what was made goes with it", WITHIN, async || {
        let left = cluster.pods().await?.len() + usize::from(sets.get_opt("db").await?.is_some());
        Ok((left == 0).then_some(()))
    })
    .await?;
    let claims: Api<PersistentVolumeClaim> = cluster.of();
    let kept = claims.get_opt("data-db-0").await?.is_some();
    expect(kept, || "the disks went with the cluster".into())?;
    Ok("a cluster made, changed and deleted by the operator".into())
}

async fn pods(cluster: &Cluster, count: usize) -> Result<(), Failure> {
    until(&format!("there are {count} pods"), WITHIN, async || {
        undisturbed(cluster).await?;
        Ok((cluster.pods().await?.len() == count).then_some(()))
    })
    .await?;
    Ok(())
}

/// Whether the API server took every step so far.
async fn undisturbed(cluster: &Cluster) -> Result<(), Failure> {
    let all = cluster.get().await?.status.unwrap_or_default().conditions;
    let failed = all.into_iter().find(|one| one.reason == "StepFailed");
    failed.map_or(Ok(()), |one| Err(Failure::new(one.message)))
}

/// The pod that would bring a backup back is taken, and its disk.
async fn restored(site: &Site, space: &str) -> Result<(), Failure> {
    let cluster = Cluster::new(site, space, "restored");
    let backup = json!({
        "target": "s3://backups/db", "name": "kvs-000000000000-20260101T000000000Z",
        "secretName": "backup-key",
    });
    let identity = "db-identity";
    cluster
        .make(json!({ "identitySecret": identity, "bootstrap": { "fromBackup": backup } }))
        .await?;
    let pod = cluster.of::<Pod>();
    until("the backup is to be brought back", WITHIN, async || {
        undisturbed(&cluster).await?;
        Ok(pod.get_opt("restored-restore").await?)
    })
    .await?;
    cluster.delete().await?;
    let claims = cluster.of::<PersistentVolumeClaim>();
    claims.delete("data-restored-0", &DeleteParams::default()).await?;
    Ok(())
}

/// An operator on this machine, for as long as this is there.
struct Operator(Child);

impl Operator {
    fn start(site: &Site, kubeconfig: &Path) -> Result<Self, Failure> {
        let log = std::fs::File::create(site.folder("versions")?.join("operator.log"))?;
        let started = Command::new("kvs-operator")
            .env("KUBECONFIG", kubeconfig)
            .args(["--namespace", OPERATOR_SPACE, "--listen", "127.0.0.1:0"])
            .args(["--node-image", &site.image("kvs")])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self(started))
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
