//! Each `NetworkPolicy`: whom their selectors mean. Whether it is enforced is the network's affair.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::json;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::site::{Agent, Cluster, OPERATOR, OPERATOR_SPACE, Site};
use crate::wait::until;

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, other) = (Cluster::new(site, space, "db"), Cluster::new(site, space, "other"));
    let _agent = Agent::start(site, space).await?;
    for one in [&cluster, &other] {
        one.make(json!({ "replicas": 2 })).await?;
    }
    for one in [&cluster, &other] {
        one.settles(2, Duration::from_secs(90)).await?;
    }
    let policy = cluster.of::<NetworkPolicy>().get("db").await?.spec.unwrap_or_default();
    let meant = select(&cluster.of(), policy.pod_selector.as_ref()).await?;
    expect(meant == ["db-0", "db-1"], || format!("it is about {meant:?}"))?;
    let peers =
        policy.ingress.unwrap_or_default().into_iter().filter_map(|rule| rule.from).flatten();
    let (nodes, operators): (Vec<_>, Vec<_>) =
        peers.partition(|peer| peer.namespace_selector.is_none());
    for peer in nodes {
        let from = select(&cluster.of(), peer.pod_selector.as_ref()).await?;
        expect(from == ["db-0", "db-1"], || format!("it takes {from:?} for nodes"))?;
    }
    let operators = from_operator(site, &operators).await?;
    switched(&cluster).await?;
    Ok(format!(
        "about 2 nodes of 5 pods; from these nodes and {operators} operators; enforcement: not run; gone \
         when it is switched off, and so are services of pods"
    ))
}

/// What is switched off goes, and nothing else.
async fn switched(cluster: &Cluster) -> Result<(), Failure> {
    for on in [true, false] {
        cluster.ask_for(json!({ "networkPolicy": on, "service": { "perPod": on } })).await?;
        let what = format!("policy and services of pods are there: {on}");
        until(&what, Duration::from_secs(10), async || {
            let policy = cluster.of::<NetworkPolicy>().get_opt("db").await?.is_some();
            let service = cluster.of::<Service>().get_opt("db-0").await?.is_some();
            let client = cluster.of::<Service>().get_opt("db").await?.is_some();
            Ok((policy == on && service == on && client).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// The operators that may reach nodes.
async fn from_operator(site: &Site, peers: &[NetworkPolicyPeer]) -> Result<usize, Failure> {
    let [peer] = peers else { return Err(Failure::new("one rule is about the operator")) };
    let spaces = peer.namespace_selector.as_ref().and_then(|one| one.match_labels.as_ref());
    let space = spaces.and_then(|labels| labels.get("kubernetes.io/metadata.name"));
    expect(space.is_some_and(|space| space == OPERATOR_SPACE), || {
        format!("it is about {space:?}")
    })?;
    let pods: Api<Pod> = Api::namespaced(site.client.clone(), OPERATOR_SPACE);
    let from = select(&pods, peer.pod_selector.as_ref()).await?;
    let ours = from.iter().all(|pod| pod.starts_with(OPERATOR));
    expect(ours && !from.is_empty(), || format!("it takes {from:?} for operators"))?;
    Ok(from.len())
}

/// The names of the pods that a selector means.
async fn select(pods: &Api<Pod>, selector: Option<&LabelSelector>) -> Result<Vec<String>, Failure> {
    let none = BTreeMap::new();
    let labels = selector.and_then(|selector| selector.match_labels.as_ref()).unwrap_or(&none);
    expect(!labels.is_empty(), || "a selector means every pod".into())?;
    let text: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let found = pods.list(&ListParams::default().labels(&text.join(","))).await?;
    let mut names: Vec<String> = found.items.iter().map(ResourceExt::name_any).collect();
    names.sort();
    Ok(names)
}
