//! One look at one cluster, and at most one step.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kvs_client::DutyOrder;
use kvs_operator_core::build::{self, Blueprint, Kept, Live, Template, stateful_set};
use kvs_operator_core::crd::{KvsCluster, KvsClusterStatus, Mode};
use kvs_operator_core::observed::Identity;
use kvs_operator_core::plan::{Act, Kind, Plan, Shut, Wait, plan};
use kvs_operator_core::status::{self, Told};
use kvs_operator_core::wish::Wish;
use kvs_operator_core::{compare, names};
use serde_json::{Value, json};
use thiserror::Error;

use crate::act::{self, ActError};
use crate::nodes::NodeError;
use crate::objects;
use crate::observe::{self, Look};
use crate::site::Site;

/// While something is under way nodes are asked this often: they tell nobody by themselves.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// While nodes do not hold the same, or people are waited for.
const APART: Duration = Duration::from_secs(3);
/// Otherwise. What others change is noticed at once; this is for what nobody tells.
const SETTLED: Duration = Duration::from_secs(30);
/// Where no node runs.
const ASLEEP: Duration = Duration::from_mins(5);
/// After a failure.
const AGAIN: Duration = Duration::from_secs(5);

/// Kinds of which a cluster has objects beside its `StatefulSet`.
const KINDS: &[(&str, &str)] = &[
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
];
/// One more, where it is known.
const MONITOR: (&str, &str) = ("monitoring.coreos.com/v1", "ServiceMonitor");

/// A look or a step failed. The next one begins anew.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The API server refused something, or did not answer.
    #[error(transparent)]
    Api(#[from] kube::Error),
}

/// Looks at a cluster and takes at most one step.
///
/// # Errors
///
/// The API server refused something, or did not answer. What was written is seen at the next look.
pub async fn reconcile(
    cluster: Arc<KvsCluster>,
    site: Arc<Site>,
) -> Result<Action, ReconcileError> {
    if cluster.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let build = site.build();
    let turn = Turn::new(&cluster, &site, &build);
    site.look("KvsCluster", Box::pin(turn.take())).await
}

/// What is done after a failure.
pub fn failed(cluster: &KvsCluster, error: &ReconcileError, site: &Site) -> Action {
    site.metrics.failed("KvsCluster", "api");
    tracing::warn!(cluster = cluster.name_any(), %error, "a step failed");
    Action::requeue(AGAIN)
}

struct Turn<'a> {
    cluster: &'a KvsCluster,
    site: &'a Site,
    blueprint: Blueprint<'a>,
}

impl<'a> Turn<'a> {
    fn new(cluster: &'a KvsCluster, site: &'a Site, build: &'a build::Site) -> Self {
        let blueprint = Blueprint::new(cluster, build);
        Self { cluster, site, blueprint }
    }

    async fn take(&self) -> Result<Action, ReconcileError> {
        let look = observe::look(self.site, &self.blueprint).await?;
        let (kept, refused) = self.template().await?;
        let plan = self.plan(&look, kept.as_ref(), refused);
        let mut trouble = None;
        if self.cluster.spec.mode != Mode::Paused {
            trouble = self.step(&look, kept.as_ref(), &plan).await.err();
        }
        let trouble = trouble.filter(|error| !is_passing(error)).map(|error| error.to_string());
        if trouble.is_some() {
            self.site.metrics.failed("KvsCluster", "step");
        }
        let status = self.tell(&look, kept.as_ref(), &plan, trouble.as_deref()).await?;
        self.hurry(&look, &plan, &status).await;
        let converged = !status.conditions.iter().any(|one| one.reason == "NotInSync");
        Ok(Action::requeue(match () {
            () if trouble.is_none() && is_for_people(&plan) => APART,
            () if plan.kind.is_some() || trouble.is_some() => UNDER_WAY,
            () if converged && self.cluster.spec.mode == Mode::Hibernated => ASLEEP,
            () if converged => SETTLED,
            () => APART,
        }))
    }

    /// The template in force; nothing if there never was one that nodes take. And what is wrong with
    /// the one that is asked for.
    async fn template(&self) -> Result<(Option<Kept>, Option<String>), kube::Error> {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": self.blueprint.names.template(),
                "namespace": self.blueprint.names.namespace,
            },
        });
        let stored = objects::live(&self.site.client, &map).await?;
        let stored = stored.as_ref().and_then(Template::read);
        match self.blueprint.config() {
            Ok(config) => {
                let rendered = self.blueprint.template(config);
                Ok((Some(self.blueprint.in_force(rendered, stored)), None))
            }
            Err(refused) => {
                let kept = stored.map(|template| Kept { template, newer: None });
                Ok((kept, Some(refused.to_string())))
            }
        }
    }

    fn plan(&self, look: &Look, kept: Option<&Kept>, refused: Option<String>) -> Plan {
        let refused = refused.map(|why| Wait {
            kind: Kind::Rollout,
            step: "take spec.config over".into(),
            on: Shut::Refused(why),
        });
        let mut plan = match kept {
            Some(kept) => plan(&Wish::of(self.cluster, &kept.template.hash), &look.seen),
            None => Plan::default(),
        };
        plan.kind = plan.kind.or(refused.as_ref().map(|wait| wait.kind));
        plan.waits.extend(refused);
        plan
    }

    /// The surroundings, then the `StatefulSet`, then the one act.
    async fn step(&self, look: &Look, kept: Option<&Kept>, plan: &Plan) -> Result<(), ActError> {
        let (client, metrics) = (&self.site.client, &self.site.metrics);
        if let Some(identity) = &look.identity {
            act::own_identity(client, &self.blueprint, identity).await?;
        }
        if look.seen.identity == Identity::Present
            && let Some(kept) = kept
        {
            self.surround(look, kept, plan).await?;
        }
        if let (Some(wanted), Some(kept)) = (&plan.set, kept) {
            let object = stateful_set(&self.blueprint, wanted, &kept.template);
            let live = look.set.as_ref().and_then(|set| serde_json::to_value(set).ok());
            let signed = build::signed(object.clone());
            if !live.is_some_and(|live| compare::is_so(&signed, &live)) {
                objects::apply_to(client, object, wanted.from.as_ref()).await?;
                metrics.stepped(plan.kind.map_or("Repair", Kind::name));
                self.say(plan, wanted.to_string()).await;
                return Ok(());
            }
        }
        let Some(act) = &plan.act else { return Ok(()) };
        act::carry_out(client, &self.blueprint, look, act).await?;
        metrics.stepped(plan.kind.map_or("Repair", Kind::name));
        self.say(plan, note(act, look)).await;
        Ok(())
    }

    /// Nodes compare now and then, and begin anew when one comes or goes. Where a step waits for two of
    /// them, or one is not in sync, it is asked to compare now.
    async fn hurry(&self, look: &Look, plan: &Plan, status: &KvsClusterStatus) {
        let Some(nodes) = &look.nodes else { return };
        let awaited = plan.waits.iter().filter_map(|wait| match wait.on {
            Shut::NotAgreed(ordinal, _) => Some(ordinal),
            _ => None,
        });
        // One at a time: what it finds the others know as well.
        let apart = status::apart(status, &look.seen).next_back();
        for ordinal in awaited.chain(apart).collect::<BTreeSet<_>>() {
            let (member, ip) = (look.seen.members.get(&ordinal), look.addresses.get(&ordinal));
            if let (Some(member), Some(ip)) = (member, ip)
                && let Err(error) = nodes.order(*ip, member.node, DutyOrder::Compare).await
            {
                tracing::debug!(ordinal, %error, "a node does not compare now");
            }
        }
    }

    async fn say(&self, plan: &Plan, note: String) {
        let reason = plan.kind.map_or("Repair", Kind::name);
        if plan.kind != Some(Kind::Notes) {
            self.site.tell(self.cluster, EventType::Normal, reason, note).await;
        }
    }

    /// Everything but the `StatefulSet`; what is no longer wanted goes.
    async fn surround(&self, look: &Look, kept: &Kept, plan: &Plan) -> Result<(), kube::Error> {
        let client = &self.site.client;
        let pods = look.seen.set.as_ref().map_or(0, |set| set.replicas);
        let mut wanted = self.blueprint.surroundings(pods);
        wanted.push(self.blueprint.config_map(&kept.template.config));
        wanted.push(self.blueprint.template_map(&kept.template));
        let mut known = Vec::new();
        let monitor = self.blueprint.site.monitors.then_some(MONITOR);
        for (version, kind) in KINDS.iter().copied().chain(monitor) {
            known.extend(objects::all(client, &self.blueprint.names, version, kind).await?);
        }
        wanted.push(self.live_map(&known, plan));
        let wanted_names: BTreeSet<(String, String)> = wanted.iter().map(identify).collect();
        for object in wanted {
            let live = known.iter().find(|live| identify(live) == identify(&object));
            objects::apply(client, object, live).await?;
        }
        for object in known.iter().filter(|one| !wanted_names.contains(&identify(one))) {
            if is_ours(object) && !is_used(object, look) {
                objects::delete(client, object).await?;
            }
        }
        Ok(())
    }

    /// What nodes are told while they run. What is wrong with their settings is told to people; until it
    /// is right, nodes keep those that they have.
    fn live_map(&self, known: &[Value], plan: &Plan) -> Value {
        let names = &self.blueprint.names;
        let settings = if self.blueprint.config().is_ok() {
            self.blueprint.live_settings()
        } else {
            let is_it = |object: &&Value| identify(object) == ("ConfigMap".into(), names.live());
            let there = known.iter().find(is_it);
            there.map(|map| Live::read(map, names).settings).unwrap_or_default()
        };
        self.blueprint.live_map(&Live { settings, held: plan.held.clone() })
    }

    /// Says how it is.
    async fn tell(
        &self,
        look: &Look,
        kept: Option<&Kept>,
        plan: &Plan,
        trouble: Option<&str>,
    ) -> Result<KvsClusterStatus, kube::Error> {
        let unserved = self.site.served.lacking();
        let told = Told {
            cluster: self.cluster,
            seen: &look.seen,
            plan,
            template: kept.map_or("", |kept| &kept.template.hash),
            newer: kept.and_then(|kept| kept.newer.as_deref()),
            trouble,
            unserved: unserved.as_deref(),
        };
        let new = status::status(&told);
        if self.cluster.status.as_ref() == Some(&new) {
            return Ok(new);
        }
        self.announce(&new).await;
        let clusters: Api<KvsCluster> =
            Api::namespaced(self.site.client.clone(), &self.blueprint.names.namespace);
        let patch = json!({
            "apiVersion": "kvs.kalzu.dev/v1alpha1",
            "kind": "KvsCluster",
            "metadata": { "uid": self.cluster.metadata.uid },
            "status": new,
        });
        let params = PatchParams::apply(names::MANAGER).force();
        let name = &self.blueprint.names.cluster;
        clusters.patch_status(name, &params, &Patch::Apply(&patch)).await?;
        Ok(new)
    }

    /// A cluster that becomes degraded is worth a warning, once.
    async fn announce(&self, new: &KvsClusterStatus) {
        let degraded = |status: &KvsClusterStatus| {
            let mut all = status.conditions.iter();
            all.find(|one| one.type_ == "Degraded" && one.status == "True").cloned()
        };
        let before = self.cluster.status.as_ref().and_then(degraded);
        if let (Some(now), None) = (degraded(new), before) {
            self.site.tell(self.cluster, EventType::Warning, &now.reason, now.message).await;
        }
    }
}

/// Whether nothing goes on until people have done something.
fn is_for_people(plan: &Plan) -> bool {
    let by_people = |wait: &Wait| wait.on.needs_people() || matches!(wait.on, Shut::Canary(_));
    plan.act.is_none() && !plan.waits.is_empty() && plan.waits.iter().all(by_people)
}

/// The budget opens again, and whoever wrote in between is seen at the next look.
fn is_passing(error: &ActError) -> bool {
    match error {
        ActError::Budget | ActError::Node(NodeError::Stale(_)) => true,
        ActError::Api(kube::Error::Api(status)) => status.code == 409,
        _ => false,
    }
}

fn identify(object: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["name"]))
}

fn is_ours(object: &Value) -> bool {
    let managed = &object["metadata"]["labels"]["app.kubernetes.io/managed-by"];
    managed.as_str() == Some(names::MANAGER)
}

/// What people are told of an act: of a restart also what made it safe.
fn note(act: &Act, look: &Look) -> String {
    match (act, look.seen.agreed()) {
        (Act::Evict { .. }, Some(agreed)) => {
            let at = status::time(agreed).0;
            format!("{act}: all nodes that serve hold what any had at {at}")
        }
        _ => act.to_string(),
    }
}

/// A configuration stays while a pod has it, or could be made with it again.
fn is_used(object: &Value, look: &Look) -> bool {
    let (kind, name) = identify(object);
    if kind != "ConfigMap" {
        return false;
    }
    let rolling = look.seen.set.as_ref().is_none_or(|set| set.current != set.update);
    rolling || look.pods.iter().any(|pod| observe::pod::mounts(pod, &name))
}
