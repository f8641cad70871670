//! Settled means silent, and what others change comes back.

use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams, PropagationPolicy};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Outcome;
use crate::audit::{self, Request};
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::{Agent, Cluster, Site};
use crate::wait::until;

/// How long it is listened, each time; and where time is short.
const LISTEN: [Duration; 2] = [Duration::from_mins(5), Duration::from_mins(1)];
/// Within which a child comes back.
const BACK: Duration = Duration::from_secs(5);
/// The children: version and kind.
const CHILDREN: &[(&str, &str)] = &[
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("apps/v1", "StatefulSet"),
];
/// The label that all have.
const LABEL: &str = "/metadata/labels/app.kubernetes.io~1managed-by";
/// What others may do to them besides: the name, where in the object, and what they write there.
const EDITS: &[(&str, &str, &str)] = &[
    ("db", "/spec/selector/app.kubernetes.io~1instance", r#""nobody""#),
    ("db", "/spec/ports/0/targetPort", "1"),
    ("db", "/spec/maxUnavailable", "3"),
    ("db", "/spec/ingress", "[{}]"),
    ("db", "/spec/replicas", "2"),
    ("db", "/spec/updateStrategy/rollingUpdate/partition", "1"),
    ("db-peers", "/spec/ports/1/targetPort", "1"),
    ("db-template", "/data/pod.json", r#""{}""#),
];

pub(super) async fn run(site: &Site, space: &str) -> Outcome {
    let (cluster, agent) = (Cluster::new(site, space, "db"), Agent::start(site, space).await?);
    // The same operator minds one cluster that is written to and one that is not.
    let idle = Cluster::new(site, space, "idle");
    cluster.make(json!({})).await?;
    idle.make(json!({})).await?;
    cluster.settles(3, Duration::from_secs(90)).await?;
    idle.settles(3, Duration::from_secs(90)).await?;
    // Whatever earlier scenarios left is gone by then.
    sleep(Duration::from_secs(15)).await;
    let time = LISTEN[usize::from(site.is_gate())];
    agent.load("db", 200, 0).await?;
    let rate = listen(site, time).await?;
    let report = agent.end_without_failure().await?;
    let after = restarted(site).await?;
    let Back { edits, children, slowest } = children_come_back(&cluster).await?;
    cluster.settles(3, Duration::from_mins(1)).await?;
    Ok(format!(
        "{time:?} with one cluster settled and one under {} writes: {rate:.2} reads/s, no write; {after} \
         reads and no write after a restart; {edits} edits of {children} children undone and each of these made \
         again, the slowest after {slowest:.1?}",
        report.written,
    ))
}

/// Reads a second while nothing may be written.
async fn listen(site: &Site, time: Duration) -> Result<f64, Failure> {
    let from = site.audit()?;
    sleep(time).await;
    let requests = from.of_operator()?;
    let reads = silent(&requests)?;
    let rate = f64::from(u32::try_from(reads).unwrap_or(u32::MAX)) / time.as_secs_f64();
    expect(rate < 1.0, || format!("{rate:.2} reads/s:\n{}", audit::lines(&requests)))?;
    Ok(rate)
}

/// How many reads there are, if there is no write.
fn silent(requests: &[Request]) -> Result<usize, Failure> {
    let others: Vec<Request> =
        requests.iter().filter(|request| !request.is_lease()).cloned().collect();
    let (writes, reads): (Vec<Request>, Vec<Request>) =
        others.into_iter().partition(Request::writes);
    expect(writes.is_empty(), || format!("it wrote:\n{}", audit::lines(&writes)))?;
    Ok(reads.len())
}

/// Reads of operators that are started anew.
async fn restarted(site: &Site) -> Result<usize, Failure> {
    site.scale_operator(0).await?;
    let from = site.audit()?;
    site.scale_operator(2).await?;
    site.leader(Duration::from_mins(1)).await?;
    sleep(Duration::from_secs(15)).await;
    silent(&from.of_operator()?)
}

/// What came back.
#[derive(Default)]
struct Back {
    edits: usize,
    children: usize,
    slowest: Duration,
}

/// Edits every child in all ways, and deletes it: one after the other.
async fn children_come_back(cluster: &Cluster) -> Result<Back, Failure> {
    let ours = ListParams::default().labels(&format!(
        "app.kubernetes.io/managed-by=kvs-operator,app.kubernetes.io/instance={}",
        cluster.name
    ));
    let mut back = Back::default();
    for (version, kind) in CHILDREN {
        let api = kubernetes::api(&cluster.site.client, &cluster.space, version, kind);
        for child in api.list(&ours).await?.items {
            for (at, to) in edits(&child)? {
                let mended = mended(&api, kind, &child.name_any(), at, &to).await?;
                (back.edits, back.slowest) = (back.edits + 1, back.slowest.max(mended));
            }
            back.slowest = back.slowest.max(made_again(&api, kind, &child).await?);
            back.children += 1;
        }
    }
    let wanted = back.children + EDITS.len();
    expect(back.edits == wanted, || format!("{} edits, not {wanted}", back.edits))?;
    Ok(back)
}

/// What can be written into this object: a label, and what of [`EDITS`] has a place in it.
fn edits(child: &DynamicObject) -> Result<Vec<(&'static str, Value)>, Failure> {
    let object = serde_json::to_value(child)?;
    let mut all = vec![(LABEL, json!("nobody"))];
    for (name, at, to) in EDITS {
        if child.name_any() == *name && object.pointer(at).is_some() {
            all.push((at, serde_json::from_str(to)?));
        }
    }
    Ok(all)
}

/// Writes something there, and says how long it takes until what was there before is there again.
async fn mended(
    api: &Api<DynamicObject>,
    kind: &str,
    name: &str,
    at: &str,
    to: &Value,
) -> Result<Duration, Failure> {
    let mut edited = serde_json::to_value(api.get(name).await?)?;
    let place = edited.pointer_mut(at).ok_or_else(|| Failure::new(format!("no {at} in {name}")))?;
    let before = std::mem::replace(place, to.clone());
    let edited = serde_json::from_value(edited)?;
    let written = api.replace(name, &PostParams::default(), &edited).await?;
    let written = serde_json::to_value(written)?;
    expect(written.pointer(at) == Some(to), || format!("{kind} {name} was not edited at {at}"))?;
    let what = format!("{kind} {name} is as it was at {at}");
    let ((), took) = until(&what, BACK, async || {
        let now = serde_json::to_value(api.get(name).await?)?;
        let found = now.pointer(at).cloned().unwrap_or_default();
        expect(found == before, || format!("it is {found}"))?;
        Ok(Some(()))
    })
    .await?;
    Ok(took)
}

/// Deletes a child, and says how long it takes until there is another one.
async fn made_again(
    api: &Api<DynamicObject>,
    kind: &str,
    child: &DynamicObject,
) -> Result<Duration, Failure> {
    let (name, orphan) = (child.name_any(), Some(PropagationPolicy::Orphan));
    let orphan = DeleteParams { propagation_policy: orphan, ..DeleteParams::default() };
    api.delete(&name, &orphan).await?;
    let ((), took) = until(&format!("{kind} {name} is made again"), BACK, async || {
        let now = api.get_opt(&name).await?;
        Ok(now.filter(|now| now.uid() != child.uid()).map(drop))
    })
    .await?;
    Ok(took)
}
