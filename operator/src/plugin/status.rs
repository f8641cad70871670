//! How clusters are.

use std::io::Write;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use kvs_core::UnixMillis;
use kvs_operator_core::crd::{KvsCluster, KvsClusterStatus, MemberStatus};

use super::table::table;
use super::{Here, PluginError};
use crate::site;

pub(super) async fn all(
    here: &Here,
    everywhere: bool,
    out: &mut impl Write,
) -> Result<(), PluginError> {
    let clusters = if everywhere { Api::all(here.client.clone()) } else { here.clusters() };
    let found = clusters.list(&ListParams::default()).await?.items;
    if found.is_empty() {
        writeln!(
            out,
            "There is no KvsCluster in {}.",
            if everywhere { "any namespace" } else { &here.namespace }
        )?;
        return Ok(());
    }
    let rows: Vec<[String; 7]> = found.iter().map(row).collect();
    let head = ["NAMESPACE", "NAME", "READY", "CONVERGED", "STATE", "VERSION", "MESSAGE"];
    Ok(write!(out, "{}", table(head, &rows))?)
}

fn row(cluster: &KvsCluster) -> [String; 7] {
    let status = cluster.status.clone().unwrap_or_default();
    [
        cluster.namespace().unwrap_or_default(),
        cluster.name_any(),
        format!("{}/{}", status.ready_replicas, cluster.spec.replicas),
        condition(&status, "Converged").map_or("Unknown", |one| &one.status).to_owned(),
        state(&status).to_owned(),
        status.version.clone().unwrap_or_default(),
        status.message.clone().unwrap_or_default(),
    ]
}

fn condition<'a>(status: &'a KvsClusterStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|one| one.type_ == kind)
}

/// What matters most, in a word.
fn state(status: &KvsClusterStatus) -> &'static str {
    let holds = |kind| condition(status, kind).is_some_and(|one| one.status == "True");
    match () {
        () if status.conditions.is_empty() => "Unseen",
        () if holds("Degraded") => "Degraded",
        () if holds("Paused") => "Paused",
        () if holds("Progressing") => "Progressing",
        () if holds("Available") => "Settled",
        () => "Down",
    }
}

pub(super) async fn one(here: &Here, name: &str, out: &mut impl Write) -> Result<(), PluginError> {
    let cluster = here.clusters().get(name).await?;
    write!(out, "{}", text(&cluster, site::now()))?;
    Ok(())
}

/// All that matters of one cluster.
fn text(cluster: &KvsCluster, now: UnixMillis) -> String {
    let status = cluster.status.clone().unwrap_or_default();
    let mut text = vec![format!(
        "{}/{}   {}   {}/{} ready   {}\n",
        cluster.namespace().unwrap_or_default(),
        cluster.name_any(),
        state(&status),
        status.ready_replicas,
        cluster.spec.replicas,
        status.endpoint.clone().unwrap_or_default(),
    )];
    if status.observed_generation != cluster.metadata.generation {
        text.push("The operator has not seen the latest change yet: is it running?\n".to_owned());
    }
    if let Some(message) = &status.message {
        text.push(format!("{message}\n"));
    }
    text.push(format!("\n{}", members_table(&status.members)));
    let steps: Vec<[String; 3]> = status
        .plan
        .iter()
        .map(|step| {
            let waits_for = step.waits_for.clone().unwrap_or_default();
            [
                step.step.clone(),
                waits_for,
                step.since.as_ref().map_or(String::new(), |at| age(at, now)),
            ]
        })
        .collect();
    if !steps.is_empty() {
        text.push(format!("\n{}", table(["NEXT", "WAITS FOR", "SINCE"], &steps)));
    }
    let rows: Vec<[String; 4]> = status.conditions.iter().map(|one| said(one, now)).collect();
    text.push(format!("\n{}", table(["CONDITION", "", "FOR", "BECAUSE"], &rows)));
    text.concat()
}

fn said(condition: &Condition, now: UnixMillis) -> [String; 4] {
    let message = if condition.message.is_empty() {
        String::new()
    } else {
        format!(": {}", condition.message)
    };
    [
        condition.type_.clone(),
        condition.status.clone(),
        age(&condition.last_transition_time, now),
        format!("{}{message}", condition.reason),
    ]
}

pub(super) async fn members(
    here: &Here,
    name: &str,
    out: &mut impl Write,
) -> Result<(), PluginError> {
    let status = here.clusters().get(name).await?.status.unwrap_or_default();
    Ok(write!(out, "{}", members_table(&status.members))?)
}

fn members_table(members: &[MemberStatus]) -> String {
    let row = |member: &MemberStatus| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            member.ordinal.to_string(),
            format!("{:?}", member.state),
            text(&member.version),
            text(&member.node),
        ]
    };
    let rows: Vec<[String; 4]> = members.iter().map(row).collect();
    table(["MEMBER", "STATE", "VERSION", "NODE"], &rows)
}

/// How long ago, in one unit.
fn age(at: &Time, now: UnixMillis) -> String {
    let at = u64::try_from(at.0.as_millisecond()).unwrap_or_default();
    let seconds = now.0.saturating_sub(at) / 1_000;
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster() -> KvsCluster {
        serde_json::from_value(json!({
            "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsCluster",
            "metadata": { "name": "db", "namespace": "apps", "generation": 2 },
            "spec": { "storage": { "size": "1Gi" } },
            "status": {
                "observedGeneration": 2, "replicas": 3, "readyReplicas": 2,
                "endpoint": "http://db.apps.svc:8080", "message": "pod 2 is going",
                "members": [{ "ordinal": 0, "node": "n", "version": "0.1.0", "state": "InSync" }],
                "plan": [{ "step": "restart pod 1", "waitsFor": "pod 2 is going", "since": "1970-01-01T00:00:10Z" }],
                "conditions": [{
                    "type": "Progressing", "status": "True", "reason": "Rollout", "message": "restart pod 1",
                    "lastTransitionTime": "1970-01-01T00:00:00Z",
                }],
            },
        }))
        .unwrap()
    }

    #[test]
    fn all_that_matters_is_on_one_screen() {
        let expected = "\
apps/db   Progressing   2/3 ready   http://db.apps.svc:8080
pod 2 is going

MEMBER   STATE    VERSION   NODE
0        InSync   0.1.0     n

NEXT            WAITS FOR        SINCE
restart pod 1   pod 2 is going   50s

CONDITION            FOR   BECAUSE
Progressing   True   60s   Rollout: restart pod 1
";
        assert_eq!(text(&cluster(), UnixMillis(60_000)), expected);
    }

    #[test]
    fn ages_have_one_unit() {
        let of = |seconds: u64| {
            age(&kvs_operator_core::status::time(UnixMillis(0)), UnixMillis(seconds * 1_000))
        };
        assert_eq!([119, 120, 7_199, 7_200, 172_800].map(of), ["119s", "2m", "119m", "2h", "2d"]);
    }

    #[test]
    fn an_operator_that_has_not_looked_yet_is_named() {
        let mut cluster = cluster();
        cluster.metadata.generation = Some(3);
        assert!(text(&cluster, UnixMillis(0)).contains("is it running?"));
        cluster.status = None;
        assert!(text(&cluster, UnixMillis(0)).starts_with("apps/db   Unseen   0/3 ready"));
    }
}
