//! What people are told.

mod conditions;
mod members;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kvs_core::UnixMillis;

use crate::crd::{KvsCluster, KvsClusterStatus, MemberState, Operation, PlannedStep, TlsMode};
use crate::names::Names;
use crate::observed::{Life, Observed, Ordinal};
use crate::plan::Plan;

/// All that the status is made from.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What is asked for, with the status as it was.
    pub cluster: &'a KvsCluster,
    /// What is there.
    pub seen: &'a Observed,
    /// What is done next.
    pub plan: &'a Plan,
    /// Hash of the template in force.
    pub template: &'a str,
    /// Hash of the template that this operator would rather have.
    pub newer: Option<&'a str>,
    /// What went wrong with the last step.
    pub trouble: Option<&'a str>,
    /// What the API server does not know of our kinds.
    pub unserved: Option<&'a str>,
}

/// The status. Where nothing changed it equals what it was.
pub fn status(told: &Told<'_>) -> KvsClusterStatus {
    let Told { cluster, seen, plan, .. } = *told;
    let before = cluster.status.clone().unwrap_or_default();
    let name = cluster.metadata.name.clone().unwrap_or_default();
    let names = Names::new(name, cluster.metadata.namespace.clone().unwrap_or_default());
    let members = members::members(told, &before);
    let ready = seen.pods.values().filter(|pod| pod.is_ready()).count();
    let conditions = conditions::conditions(told, &before, &members);
    KvsClusterStatus {
        observed_generation: cluster.metadata.generation,
        message: conditions::message(&conditions),
        replicas: number(seen.pods.len()),
        ready_replicas: number(ready),
        selector: Some(names.selector_text()),
        version: version(seen).or_else(|| before.version.clone()),
        endpoint: Some(names.endpoint(cluster.spec.tls.mode == TlsMode::Secret)),
        template: Some(told.template.to_owned()).filter(|template| !template.is_empty()),
        operation: operation(plan, &before, seen.now),
        plan: steps(plan, &before, seen.now),
        conditions,
        members,
    }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The version that all nodes have that answer.
fn version(seen: &Observed) -> Option<String> {
    let mut versions = seen.members.values().filter_map(|member| member.version.as_ref());
    let first = versions.next()?;
    versions.all(|version| version == first).then(|| first.clone())
}

fn operation(plan: &Plan, before: &KvsClusterStatus, now: UnixMillis) -> Option<Operation> {
    let kind = plan.kind?.name().to_owned();
    let acts = plan.act.as_ref().map(ToString::to_string);
    let step = acts.or_else(|| plan.waits.first().map(|wait| wait.step.clone()));
    let step = step.unwrap_or_else(|| "apply the StatefulSet".to_owned());
    let same = |was: &&Operation| was.kind == kind && was.step == step;
    let since = before.operation.as_ref().filter(same).map(|was| was.since.clone());
    Some(Operation { kind, step, since: since.unwrap_or_else(|| time(now)) })
}

fn steps(plan: &Plan, before: &KvsClusterStatus, now: UnixMillis) -> Vec<PlannedStep> {
    let step = |wait: &crate::plan::Wait| {
        let (step, waits_for) = (wait.step.clone(), Some(wait.on.to_string()));
        let same = |was: &&PlannedStep| was.step == step && was.waits_for == waits_for;
        let since = before.plan.iter().find(same).and_then(|was| was.since.clone());
        PlannedStep { step, waits_for, since: Some(since.unwrap_or_else(|| time(now))) }
    };
    plan.waits.iter().map(step).collect()
}

/// An instant as Kubernetes writes it, in whole seconds.
pub fn time(at: UnixMillis) -> Time {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or_default();
    Time(jiff::Timestamp::from_second(seconds).unwrap_or_default())
}

/// The members that serve and have not agreed with all others of late.
pub fn apart<'a>(
    status: &'a KvsClusterStatus,
    seen: &'a Observed,
) -> impl DoubleEndedIterator<Item = Ordinal> + 'a {
    let behind = status.members.iter().filter(|member| member.state == MemberState::Behind);
    let behind = behind.filter_map(|member| Ordinal::try_from(member.ordinal).ok());
    let serves = |at: &Ordinal| {
        let member = seen.members.get(at);
        member.is_some_and(|one| one.life == Life::Serving && one.departure.is_none())
    };
    behind.filter(serves)
}

/// Whether all members hold the same.
fn all_in_sync(members: &[crate::crd::MemberStatus], replicas: u32) -> bool {
    let enough = u32::try_from(members.len()).is_ok_and(|count| count >= replicas);
    enough && members.iter().all(|member| member.state == MemberState::InSync)
}

#[cfg(test)]
mod tests;
