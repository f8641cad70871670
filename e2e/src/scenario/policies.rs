//! Each `NetworkPolicy`: whom their selectors mean, and which ports. Whether it is enforced is the network's affair.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::json;

use super::Outcome;
use crate::failure::{Failure, expect};
use crate::site::{Agent, Cluster, OPERATOR, OPERATOR_SPACE, Site};
use crate::wait::until;

/// Whom a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Anybody,
    Nodes,
    Operators,
}

/// A port that is open, as `8080/TCP`, to whom.
type Open = BTreeSet<(Who, String)>;

/// Where names are asked for, wherever that is.
const NAMES: [&str; 2] = ["53/TCP", "53/UDP"];

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
    let types = policy.policy_types.unwrap_or_default();
    expect(types == ["Ingress", "Egress"], || format!("it is about {types:?}"))?;
    let (mut into, mut out) = (Open::new(), Open::new());
    for rule in policy.ingress.unwrap_or_default() {
        into.extend(open(&cluster, rule.from, rule.ports).await?);
    }
    for rule in policy.egress.unwrap_or_default() {
        out.extend(open(&cluster, rule.to, rule.ports).await?);
    }
    let Ports { client, peer, gossip } = ports(&cluster).await?;
    let between = [(Who::Nodes, peer.clone()), (Who::Nodes, gossip)];
    let mut wanted = Open::from(between.clone());
    wanted.extend([(Who::Anybody, client), (Who::Operators, peer)]);
    expect(into == wanted, || format!("open from outside is {into:?}, not {wanted:?}"))?;
    let mut wanted = Open::from(between);
    wanted.extend(NAMES.map(|port| (Who::Anybody, port.to_owned())));
    expect(out == wanted, || format!("open to the outside is {out:?}, not {wanted:?}"))?;
    let operators = operators(site).await?.len();
    switched(&cluster).await?;
    Ok(format!(
        "about 2 nodes of 5 pods; from outside {into:?}, where operators are {operators}; to the outside {out:?}; \
         enforcement: not run; gone when it is switched off, and so are services of pods"
    ))
}

/// The ports of nodes' containers.
struct Ports {
    client: String,
    peer: String,
    gossip: String,
}

/// Those of every node, which all have the same, by their names.
async fn ports(cluster: &Cluster) -> Result<Ports, Failure> {
    let mut named = BTreeMap::new();
    for pod in cluster.pods().await? {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        for port in containers.filter_map(|container| container.ports.as_ref()).flatten() {
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let text = format!("{}/{protocol}", port.container_port);
            let before = named.insert(port.name.clone().unwrap_or_default(), text.clone());
            let same = before.is_none_or(|before| before == text);
            expect(same, || format!("{} has {text} where others have not", pod.name_any()))?;
        }
    }
    let mut of = |name: &str| {
        named.remove(name).ok_or_else(|| Failure::new(format!("nodes have no port {name}")))
    };
    Ok(Ports { client: of("client")?, peer: of("peer")?, gossip: of("gossip")? })
}

/// What one rule opens.
async fn open(
    cluster: &Cluster,
    peers: Option<Vec<NetworkPolicyPeer>>,
    ports: Option<Vec<NetworkPolicyPort>>,
) -> Result<Open, Failure> {
    let mut who = Vec::new();
    for peer in peers.into_iter().flatten() {
        who.push(meant_by(cluster, &peer).await?);
    }
    // A rule without peers is about anybody.
    if who.is_empty() {
        who.push(Who::Anybody);
    }
    let ports = ports.unwrap_or_default();
    expect(!ports.is_empty(), || format!("every port is open to {who:?}"))?;
    let text = |port: &NetworkPolicyPort| {
        let number = match &port.port {
            Some(IntOrString::Int(number)) => number.to_string(),
            Some(IntOrString::String(name)) => name.clone(),
            None => "every".into(),
        };
        let last = port.end_port.map(|last| format!("-{last}")).unwrap_or_default();
        format!("{number}{last}/{}", port.protocol.as_deref().unwrap_or("TCP"))
    };
    let all = who.iter().flat_map(|who| ports.iter().map(|port| (*who, text(port))));
    Ok(all.collect())
}

/// Whom a peer of a rule means: exactly the cluster's nodes, or exactly the operators.
async fn meant_by(cluster: &Cluster, peer: &NetworkPolicyPeer) -> Result<Who, Failure> {
    expect(peer.ip_block.is_none(), || "a rule is about addresses".into())?;
    let Some(spaces) = &peer.namespace_selector else {
        let nodes = select(&cluster.of(), peer.pod_selector.as_ref()).await?;
        expect(nodes == ["db-0", "db-1"], || format!("it takes {nodes:?} for nodes"))?;
        return Ok(Who::Nodes);
    };
    let labels = spaces.match_labels.clone().unwrap_or_default();
    let wanted = [("kubernetes.io/metadata.name".to_owned(), OPERATOR_SPACE.to_owned())];
    expect(labels == BTreeMap::from(wanted), || format!("it is about namespaces with {labels:?}"))?;
    let pods: Api<Pod> = Api::namespaced(cluster.site.client.clone(), OPERATOR_SPACE);
    let (meant, operators) =
        (select(&pods, peer.pod_selector.as_ref()).await?, operators(&cluster.site).await?);
    expect(meant == operators, || format!("it takes {meant:?} for operators, not {operators:?}"))?;
    Ok(Who::Operators)
}

/// The pods of the operators' Deployment.
async fn operators(site: &Site) -> Result<Vec<String>, Failure> {
    let all: Api<Deployment> = Api::namespaced(site.client.clone(), OPERATOR_SPACE);
    let selector = all.get(OPERATOR).await?.spec.unwrap_or_default().selector;
    let pods: Api<Pod> = Api::namespaced(site.client.clone(), OPERATOR_SPACE);
    let found = select(&pods, Some(&selector)).await?;
    expect(!found.is_empty(), || "there is no operator".into())?;
    Ok(found)
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

/// The names of the pods that a selector means.
async fn select(pods: &Api<Pod>, selector: Option<&LabelSelector>) -> Result<Vec<String>, Failure> {
    let none = BTreeMap::new();
    let expressions = selector.and_then(|selector| selector.match_expressions.as_ref());
    expect(expressions.is_none_or(Vec::is_empty), || "a selector is not of labels alone".into())?;
    let labels = selector.and_then(|selector| selector.match_labels.as_ref()).unwrap_or(&none);
    expect(!labels.is_empty(), || "a selector means every pod".into())?;
    let text: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let found = pods.list(&ListParams::default().labels(&text.join(","))).await?;
    let mut names: Vec<String> = found.items.iter().map(ResourceExt::name_any).collect();
    names.sort();
    Ok(names)
}
