//! Changes that cannot work: they are named, harm nobody, and are taken back without a hand.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

/// Within which a cause is named.
const NAMED: Duration = Duration::from_mins(1);
const WITHIN: Duration = Duration::from_mins(2);
/// A Secret with a certificate that is none.
const GARBLED: &str = "garbled";

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    cluster.make(json!({})).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    agent.load("db", 100, 100).await?;
    let absent = image(&cluster, "localhost/no-such-image:1", "no-such-image").await?;
    // A program that has a command `run`, too, and knows nothing of what a node is given with it.
    let ends = image(&cluster, &site.image("kvs-e2e"), "unexpected argument").await?;
    let config = configuration(&cluster).await?;
    garbled_certificate(site, space).await?;
    let tls = json!({ "tls": { "mode": "Secret", "secretName": GARBLED } });
    let node = change(&cluster, tls, json!({ "tls": null }), "tls.crt").await?;
    let report = agent.end_without_failure().await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    let (class, certificate, secret) =
        tokio::try_join!(class(site, space), certificate(site, space), secret(site, space))?;
    let all = [
        ("image", absent),
        ("image that ends", ends),
        ("configuration", config),
        ("configuration that nodes alone refuse", node),
        ("storage class", class),
        ("certificate", certificate),
        ("Secret", secret),
    ];
    let all = all.map(|(what, (said, after))| format!("{what} after {after:.0?}: “{said}”"));
    Ok(format!(
        "{}; {} writes meanwhile, none failed; {} keys on every node",
        all.join("; "),
        report.written,
        found.keys,
    ))
}

type Named = (String, Duration);

/// An image that does not come up, and what is said of it.
async fn image(cluster: &Cluster, bad: &str, cause: &str) -> Result<Named, Failure> {
    let good = cluster.site.image("kvs");
    change(cluster, json!({ "image": bad }), json!({ "image": good }), cause).await
}

/// A change that one pod is tried with and does not start with, what is said of it, and the change back.
async fn change(cluster: &Cluster, bad: Value, good: Value, cause: &str) -> Result<Named, Failure> {
    cluster.ask_for(bad).await?;
    let named = cluster.says("Degraded", "True", cause, NAMED).await?;
    serves(cluster, 2).await?;
    old_pods_stay_old(cluster).await?;
    cluster.ask_for(good).await?;
    cluster.settles(3, WITHIN).await?;
    Ok(named)
}

async fn serves(cluster: &Cluster, least: usize) -> Result<(), Failure> {
    let pods = cluster.pods().await?;
    let up = pods.iter().filter(|pod| kubernetes::is_ready(pod)).count();
    expect(up >= least, || format!("only {up} pods serve while a change does not work"))
}

/// What a pod is made of: its revision, image and configuration.
#[derive(Debug, PartialEq)]
struct Made {
    revision: Option<String>,
    image: Option<String>,
    config: Option<String>,
}

impl Made {
    fn of(pod: &Pod) -> Self {
        let spec = pod.spec.as_ref();
        let volumes = spec.and_then(|spec| spec.volumes.as_ref()).into_iter().flatten();
        let mut maps = volumes.filter_map(|volume| Some(volume.config_map.as_ref()?.name.clone()));
        Self {
            revision: pod.labels().get("controller-revision-hash").cloned(),
            image: spec.and_then(|spec| spec.containers.first()?.image.clone()),
            config: maps.find(|map| map.contains("-config-")),
        }
    }
}

/// A pod that is restarted meanwhile comes back as it was.
async fn old_pods_stay_old(cluster: &Cluster) -> Result<(), Failure> {
    let pods = cluster.pods().await?;
    let old = pods.first().ok_or_else(|| Failure::new("there is no pod"))?;
    cluster.delete_pod(old).await?;
    let (back, _) = until("the pod is back", WITHIN, async || {
        let pods = cluster.pods().await?;
        let other = |pod: &Pod| pod.name_any() == old.name_any() && pod.uid() != old.uid();
        Ok(pods.into_iter().find(|pod| other(pod) && kubernetes::is_ready(pod)))
    })
    .await?;
    let (was, is) = (Made::of(old), Made::of(&back));
    expect(was == is && was.config.is_some(), || {
        format!("a restart of a pod that was not to change made {is:?} of {was:?}")
    })
}

/// What the schema lets through and a node would refuse.
async fn configuration(cluster: &Cluster) -> Result<Named, Failure> {
    cluster.ask_for(json!({ "config": { "revisions": 300 } })).await?;
    let named = cluster.says("Degraded", "True", "revisions", NAMED).await?;
    serves(cluster, 3).await?;
    old_pods_stay_old(cluster).await?;
    cluster.ask_for(json!({ "config": { "revisions": null } })).await?;
    cluster.settles(3, WITHIN).await?;
    Ok(named)
}

async fn class(site: &Site, space: &str) -> Result<Named, Failure> {
    let cluster = Cluster::new(site, space, "nowhere");
    let storage = json!({ "size": "1Gi", "storageClassName": "no-such-class" });
    cluster.make(json!({ "storage": storage })).await?;
    cluster.says("Degraded", "True", "no-such-class", NAMED).await
}

/// A cluster of one node whose certificate for clients is in this Secret.
async fn with_tls(site: &Site, space: &str, name: &str, secret: &str) -> Result<Cluster, Failure> {
    let cluster = Cluster::new(site, space, name);
    cluster
        .make(json!({ "replicas": 1, "tls": { "mode": "Secret", "secretName": secret } }))
        .await?;
    Ok(cluster)
}

/// What looks like a certificate to Kubernetes, and to no node.
async fn garbled_certificate(site: &Site, space: &str) -> Result<(), Failure> {
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": GARBLED },
        "type": "kubernetes.io/tls",
        "stringData": { "tls.crt": "no certificate", "tls.key": "no key" },
    });
    Ok(kubernetes::apply_object(&site.client, space, &object).await?)
}

/// The pod starts, and the node itself refuses its certificate.
async fn certificate(site: &Site, space: &str) -> Result<Named, Failure> {
    let cluster = with_tls(site, space, "garbled", GARBLED).await?;
    cluster.says("Degraded", "True", "tls.crt", NAMED).await
}

/// The pod cannot start: it is to have a Secret that is not there.
async fn secret(site: &Site, space: &str) -> Result<Named, Failure> {
    let cluster = with_tls(site, space, "without", "no-such-secret").await?;
    cluster.says("Degraded", "True", "no-such-secret", NAMED).await
}
