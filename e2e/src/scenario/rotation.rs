//! Secrets, keys and certificates are replaced under load, as docs/kubernetes.md says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt as _;
use kube::api::{LogParams, Patch, PatchParams};
use kvs_operator_core::names::CLUSTER_FILE;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::machine;
use crate::site::{Agent, Authority, Cluster, Site};
use crate::wait::until;

const EXAMPLE: &str = include_str!("../../../examples/kubernetes/tls.yaml");
/// The Secret that the example names; openssl plays cert-manager's part.
const CERTIFICATES: &str = "db-tls";
const WITHIN: Duration = Duration::from_mins(2);
/// What is asked a second, of reads and of writes.
const LOAD: u32 = 200;
/// What a node says once it has another cluster file.
const RING: &str = "the cluster's secrets were read again";
/// And once it has other certificates.
const CERTIFICATE: &str = "the certificates for clients were read again";
/// The steps in which a cluster's secret is replaced.
const STEPS: [&[&str]; 3] = [&["add"], &["promote", "2"], &["drop", "2"]];

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let authority = Authority::new(site, space, "authority").await?;
    let names = [format!("db.{space}.svc"), format!("*.{space}.svc")];
    authority.issue(site, space, CERTIFICATES, &names).await?;
    let cluster = Cluster::new(site, space, "db");
    // Each node is asked for what was written, by a name of its own.
    cluster.make_as(EXAMPLE, json!({ "service": { "perPod": true } })).await?;
    let agent = Agent::with_authority(site, space, "authority").await?;
    cluster.settles(3, WITHIN).await?;
    let (token, url) = (cluster.root_token().await?, format!("https://db.{space}.svc:8080"));
    let pods = uids(&cluster).await?;
    agent.load_as(&token, &url, LOAD).await?;
    let began = Instant::now();
    let file = ClusterFile::of(&cluster).await?;
    for step in STEPS {
        let seen = said(&cluster, RING).await?;
        file.rotate(&cluster, step).await?;
        heard(&cluster, RING, &seen).await?;
        cluster.settles(3, WITHIN).await?;
    }
    let secret = began.elapsed();
    let key = new_key(&agent, &url, &token).await?;
    let seen = said(&cluster, CERTIFICATE).await?;
    let began = Instant::now();
    authority.issue(site, space, CERTIFICATES, &names).await?;
    heard(&cluster, CERTIFICATE, &seen).await?;
    let certificate = began.elapsed();
    let report = agent.end_without_failure().await?;
    expect(uids(&cluster).await? == pods, || "pods were restarted for it".into())?;
    let nodes: Vec<String> =
        (0..3).map(|ordinal| format!("https://db-{ordinal}.{space}.svc:8080")).collect();
    let found = agent.find_as(&token, &nodes, Duration::from_secs(30)).await?;
    Ok(format!(
        "the cluster's secret replaced in three steps in {secret:.0?}, the key for tokens in {key:.1?}, the \
         certificate in {certificate:.0?}, no pod restarted; {} writes and {} reads, none failed; {} keys on \
         every node",
        report.written, report.read, found.keys,
    ))
}

pub(super) async fn uids(cluster: &Cluster) -> Result<Vec<(Option<String>, i32)>, Failure> {
    let one = |pod: Pod| {
        let statuses = pod.status.and_then(|status| status.container_statuses);
        let restarts = statuses.unwrap_or_default().iter().map(|one| one.restart_count).sum();
        (pod.metadata.uid, restarts)
    };
    Ok(cluster.pods().await?.into_iter().map(one).collect())
}

/// How often each node has said something.
pub(super) async fn said(cluster: &Cluster, text: &str) -> Result<Vec<usize>, Failure> {
    let mut counts = Vec::new();
    for pod in cluster.pods().await? {
        let log = cluster.of::<Pod>().logs(&pod.name_any(), &LogParams::default()).await?;
        counts.push(log.matches(text).count());
    }
    Ok(counts)
}

/// Kubelets look at what changed once a minute, or when a pod does.
pub(super) async fn look(cluster: &Cluster) -> Result<(), Failure> {
    for pod in cluster.pods().await? {
        let look = format!("{:x}", rand::random::<u64>());
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { "e2e/look": look } } }));
        cluster.of::<Pod>().patch(&pod.name_any(), &PatchParams::default(), &patch).await?;
    }
    Ok(())
}

/// Waits until each node has said it again.
pub(super) async fn heard(cluster: &Cluster, text: &str, before: &[usize]) -> Result<(), Failure> {
    look(cluster).await?;
    until(&format!("every node says {text:?}"), WITHIN, async || {
        let now = said(cluster, text).await?;
        let all = now.len() == before.len() && now.iter().zip(before).all(|(now, was)| now > was);
        Ok(all.then_some(()))
    })
    .await?;
    Ok(())
}

/// The cluster file on this machine, changed there and given back to the Secret.
struct ClusterFile(PathBuf);

impl ClusterFile {
    async fn of(cluster: &Cluster) -> Result<Self, Failure> {
        let path = cluster.site.folder("cluster-file")?.join(CLUSTER_FILE);
        let secret = cluster.of::<Secret>().get("db-identity").await?;
        let bytes = secret.data.and_then(|mut data| data.remove(CLUSTER_FILE));
        fs::write(&path, bytes.ok_or_else(|| Failure::new("no cluster file"))?.0)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self(path))
    }

    async fn rotate(&self, cluster: &Cluster, step: &[&str]) -> Result<(), Failure> {
        let path = self.0.display().to_string();
        let rotate = ["cluster", "rotate", &path];
        machine::run(Path::new("kvs"), &[&rotate[..], step].concat()).await?;
        let patch = json!({ "stringData": { CLUSTER_FILE: fs::read_to_string(&self.0)? } });
        let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
        cluster.of::<Secret>().patch("db-identity", &params, &patch).await?;
        Ok(())
    }
}

/// Another key for tokens; how long until tokens are signed by it. Those of the old one are still believed:
/// the load has one.
async fn new_key(agent: &Agent, url: &str, token: &str) -> Result<Duration, Failure> {
    let made = agent.ask("POST", &format!("{url}/api/keys"), Some("{}"), Some(token)).await?;
    let kid = read(&made.body)?["kid"].clone();
    expect((200..300).contains(&made.status) && kid.is_string(), || format!("{made:?}"))?;
    let ((), took) = until("tokens are signed by the new key", WITHIN, async || {
        let ask = json!({ "ttl": "1h" }).to_string();
        let made = agent.ask("POST", &format!("{url}/api/tokens"), Some(&ask), Some(token)).await?;
        let made = read(&made.body)?;
        expect(made["kid"] == kid, || format!("{}", made["kid"]))?;
        let new = made["token"].as_str().unwrap_or_default();
        let me = agent.ask("GET", &format!("{url}/api/whoami"), None, Some(new)).await?;
        expect(me.status == 200, || format!("{me:?}"))?;
        Ok(Some(()))
    })
    .await?;
    Ok(took)
}

fn read(body: &str) -> Result<Value, Failure> {
    Ok(serde_json::from_str(body)?)
}
