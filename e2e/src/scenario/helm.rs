//! The charts, with Helm itself.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, ValidationDirective};
use serde_json::Value;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::site::{Agent, Cluster, OPERATOR_SPACE, Site};
use crate::wait::until;
use crate::{kubernetes, machine};

const WITHIN: Duration = Duration::from_mins(2);
/// A cluster that takes little.
pub(super) const SMALL: &str = "storage.size=1Gi,config.auth_enabled=false,config.digest_leaves=65536,config.block_cache=16MiB,\
                     config.write_buffer=16MiB";

/// Values for the operator's chart, as an example has them.
const EXAMPLE: &str = "examples/kubernetes/namespaced.yaml";
/// Values that are to render: of the operator's chart, then of a cluster's.
const OPERATORS: &[&str] = &[
    "replicas=1",
    "watchNamespaces={a,b}",
    "crds.install=false,userRoles=false",
    "log.json=true,log.filter=debug",
    "image.pullPolicy=Never,image.tag=x,nodeImage=y:z,imagePullSecrets[0].name=pull",
    "nodeSelector.disk=fast,priorityClassName=high,podLabels.team=a,podAnnotations.note=b",
    "tolerations[0].key=a,tolerations[0].operator=Exists",
    "monitoring.dashboard=true,monitoring.serviceMonitor=true,monitoring.prometheusRule=true,monitoring.labels.team=a",
    "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]\
     .matchExpressions[0].key=disk,affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution\
     .nodeSelectorTerms[0].matchExpressions[0].operator=Exists",
    "image.repository=example.org/kvs-operator,global.region=here",
    "resources.requests.cpu=1,resources.limits.memory=1Gi",
];
const CLUSTERS: &[&str] = &[
    "name=other",
    "replicas=5,storage.size=20Gi,storage.storageClassName=fast,storage.retain=Delete",
    "mode=Paused,config.log_level=debug,config.limits.value_size=2MiB",
    "tls.mode=Secret,tls.secretName=web",
    "service.type=NodePort,service.perPod=true,networkPolicy=false,monitoring=true",
    "identitySecret=mine,caConfigMap=authority,bootstrap.fromBackup.target=s3://backups/db,\
     bootstrap.fromBackup.name=kvs-0190b6f24c1e-20261123T030000000Z,bootstrap.fromBackup.secretName=key",
    "rollout.canary=1,rollout.timeoutMinutes=30",
    "resources.requests.memory=1Gi,resources.limits.cpu=2,nodeSelector.disk=fast,podLabels.team=a,podAnnotations.note=b",
    "labels.team=a,annotations.note=b,global.region=here",
    "image=example.org/kvs:1,imagePullPolicy=Always,imagePullSecrets[0].name=pull,priorityClassName=high",
    "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=rack,\
     tolerations[0].key=a,tolerations[0].operator=Exists,topologySpread[0].maxSkew=1,\
     topologySpread[0].topologyKey=rack,topologySpread[0].whenUnsatisfiable=DoNotSchedule",
    "env[0].name=RUST_BACKTRACE,env[0].value=full,service.annotations.note=b",
    "fenced={1},forget={0190b6f2-4c1e-7000-8000-000000000001}",
    "rollout.override.gate=Agreement,rollout.override.expires=2026-12-31T12:00:00Z",
    "identitySecret=mine,bootstrap.fromBackup.target=s3://backups/db,bootstrap.fromBackup.secretName=key,\
     bootstrap.fromBackup.name=kvs-0190b6f24c1e-20261123T030000000Z,\
     bootstrap.fromBackup.endpoint=https://s3.example.org,bootstrap.fromBackup.region=here",
];
/// Values that are not to.
const WRONG: &[(&str, &str)] = &[
    ("kvs-operator", "replica=1"),
    ("kvs-operator", "image.pullPolicy=Sometimes"),
    ("kvs-operator", "watchNamespaces=a"),
    ("kvs-operator", "resources.claims[0].name=x"),
    ("kvs-cluster", "replicas=0"),
    ("kvs-cluster", "storage.class=fast"),
    ("kvs-cluster", "config.port=1"),
    ("kvs-cluster", "name=My.Db"),
];

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let rendered = permutations(site, space).await?;
    for (chart, values) in WRONG {
        let answer = template(chart, values).await;
        expect(answer.is_err(), || format!("{chart} takes {values}"))?;
    }
    site.scale_operator(0).await?;
    let done = life(site, space).await;
    // Whatever happened, the other operator is wanted by others.
    let _ = helm(&["uninstall", "kvs-operator", "-n", space, "--wait"]).await;
    site.scale_operator(2).await?;
    site.leader(Duration::from_mins(1)).await?;
    let seen = done?;
    let (right, wrong) = (1 + OPERATORS.len() + CLUSTERS.len(), WRONG.len());
    Ok(format!(
        "{seen}; {rendered} objects of {right} permutations pass, {wrong} wrong ones refused"
    ))
}

/// Runs Helm.
pub(super) async fn helm(arguments: &[&str]) -> Result<String, Failure> {
    machine::run(Path::new("helm"), arguments).await
}

async fn template(chart: &str, values: &str) -> Result<String, Failure> {
    helm(&["template", "db", &format!("charts/{chart}"), "-n", OPERATOR_SPACE, "--set", values])
        .await
}

async fn permutations(site: &Site, space: &str) -> Result<usize, Failure> {
    let example =
        ["template", "kvs-operator", "charts/kvs-operator", "-n", OPERATOR_SPACE, "-f", EXAMPLE];
    let mut count = 0;
    for object in kubernetes::objects(&helm(&example).await?)? {
        dry_run(site, space, object).await?;
        count += 1;
    }
    for (chart, all) in [("kvs-operator", OPERATORS), ("kvs-cluster", CLUSTERS)] {
        helm(&["lint", "--strict", &format!("charts/{chart}"), "--set", "replicas=1"]).await?;
        for values in all {
            for object in kubernetes::objects(&template(chart, values).await?)? {
                dry_run(site, space, object)
                    .await
                    .map_err(|failure| Failure::new(format!("{chart} with {values}: {failure}")))?;
                count += 1;
            }
        }
    }
    Ok(count)
}

async fn dry_run(site: &Site, space: &str, mut object: Value) -> Result<(), Failure> {
    // Namespaces of the values need not be there.
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("namespace");
    }
    let (api, name) = kubernetes::place(&site.client, space, &object);
    let params = PatchParams { dry_run: true, ..PatchParams::apply("helm-dry-run").force() };
    let params = params.validation(ValidationDirective::Strict);
    api.patch(&name, &params, &Patch::Apply(&object)).await?;
    Ok(())
}

/// An operator and a cluster from their charts: installed, upgraded, gone, and back with its data.
async fn life(site: &Site, space: &str) -> Result<String, Failure> {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    let image = site.image("kvs-operator");
    let (repository, tag) = image.rsplit_once(':').unwrap_or((&image, "latest"));
    let here = format!(
        "watchNamespaces={{{space}}},image.repository={repository},image.tag={tag},nodeImage={},\
         podLabels.from=chart",
        site.image("kvs"),
    );
    let operator = ["install", "kvs-operator", "charts/kvs-operator", "-n", space, "-f", EXAMPLE];
    helm(&[&operator[..], &["--set", &here]].concat()).await?;
    let install = ["install", "db", "charts/kvs-cluster", "-n", space, "--set", SMALL];
    helm(&install).await?;
    let installed = cluster.settles(3, WITHIN).await?;
    agent.load("db", 100, 100).await?;
    let more = format!("{SMALL},config.revisions=5");
    helm(&["upgrade", "db", "charts/kvs-cluster", "-n", space, "--set", &more]).await?;
    cluster.says("Progressing", "True", "Rollout", WITHIN).await?;
    let upgraded = cluster.settles(3, WITHIN).await?;
    let report = agent.end_without_failure().await?;
    uninstalled(&cluster, "db").await?;
    helm(&install).await?;
    let back = cluster.settles(3, WITHIN).await?;
    uninstalled(&cluster, "db").await?;
    let named = format!("{SMALL},name=db");
    helm(&["install", "other", "charts/kvs-cluster", "-n", space, "--set", &named]).await?;
    let other = cluster.settles(3, WITHIN).await?;
    let found = agent.find(&cluster.addresses().await?, Duration::from_secs(30)).await?;
    uninstalled(&cluster, "other").await?;
    Ok(format!(
        "installed in {installed:.0?}, upgraded in {upgraded:.0?} under {} writes of which none \
         failed, back after an uninstall in {back:.0?} and as another release in {other:.0?} with {} keys",
        report.written, found.keys,
    ))
}

/// Its release goes, and its pods; disks and identity stay.
pub(super) async fn uninstalled(cluster: &Cluster, release: &str) -> Result<(), Failure> {
    helm(&["uninstall", release, "-n", &cluster.space]).await?;
    until("its pods are gone", WITHIN, async || Ok(cluster.pods().await?.is_empty().then_some(())))
        .await?;
    let (disks, identity) =
        (cluster.claims().await?.len(), cluster.of::<Secret>().get_opt("db-identity").await?);
    expect(disks == 3 && identity.is_some(), || {
        format!("{disks} disks are left, identity: {}", identity.is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATOR: &str = include_str!("../../../charts/kvs-operator/values.schema.json");
    const CLUSTER: &str = include_str!("../../../charts/kvs-cluster/values.schema.json");
    /// What the kinds below have in them is Kubernetes' or the nodes' own.
    const WHOLE: &[&str] = &["affinity", "config"];

    /// The values of a schema that have none below them.
    fn values(schema: &Value, path: &str) -> Vec<String> {
        let below = schema["properties"].as_object().filter(|_| !WHOLE.contains(&path));
        let Some(below) = below else { return vec![path.to_owned()] };
        let named = |name: &String| {
            if path.is_empty() { name.clone() } else { format!("{path}.{name}") }
        };
        below.iter().flat_map(|(name, schema)| values(schema, &named(name))).collect()
    }

    /// Whether a permutation sets this, or something in it.
    fn sets(permutation: &str, value: &str) -> bool {
        let parts = permutation.split(',').filter_map(|part| part.trim().strip_prefix(value));
        parts.into_iter().any(|rest| rest.starts_with(['=', '.', '[']))
    }

    #[test]
    fn every_value_of_the_charts_is_in_a_permutation() {
        for (schema, permutations) in [(OPERATOR, OPERATORS), (CLUSTER, CLUSTERS)] {
            let schema = serde_json::from_str(schema).unwrap();
            let mut absent = values(&schema, "");
            assert!(absent.len() > 20);
            absent.retain(|value| !permutations.iter().any(|one| sets(one, value)));
            assert_eq!(absent, Vec::<String>::new());
        }
    }
}
