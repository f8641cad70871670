//! What a manifest would come to: the operator's own plan, on what is there now.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use kvs_operator_core::build::{Blueprint, Site, Template};
use kvs_operator_core::crd::{KvsCluster, MemberState, MemberStatus};
use kvs_operator_core::forecast::{Forecast, forecast};
use kvs_operator_core::names::Names;
use kvs_operator_core::observed::{
    Identity, Life, MemberSeen, Observed, Ordinal, PeerSeen, Standing,
};
use kvs_operator_core::wish::Wish;
use uuid::Uuid;

use super::{Here, PluginError};
use crate::observe;

pub(super) async fn plan(
    here: &Here,
    file: &Path,
    out: &mut impl Write,
) -> Result<(), PluginError> {
    let read = |source| PluginError::File { path: file.to_owned(), source };
    let text = std::fs::read_to_string(file).map_err(read)?;
    let asked = clusters(&text)?;
    if asked.is_empty() {
        return Err(PluginError::Refused(format!("{} has no KvsCluster", file.display())));
    }
    for cluster in asked {
        let space = cluster.namespace().unwrap_or_else(|| here.namespace.clone());
        let here = Here { client: here.client.clone(), namespace: space };
        let (name, made) = (cluster.name_any(), of(&here, cluster).await?);
        write!(out, "{}", told(&name, &made))?;
    }
    Ok(())
}

fn clusters(text: &str) -> Result<Vec<KvsCluster>, PluginError> {
    let refused = |error: &dyn std::fmt::Display| PluginError::Refused(error.to_string());
    let mut found = Vec::new();
    for document in text.split("\n---").map(|one| one.trim_start_matches('-')) {
        let value: serde_json::Value =
            serde_saphyr::from_str(document).map_err(|error| refused(&error))?;
        if value["kind"] == "KvsCluster" {
            found.push(serde_json::from_value(value).map_err(|error| refused(&error))?);
        }
    }
    Ok(found)
}

async fn of(here: &Here, asked: KvsCluster) -> Result<Forecast, PluginError> {
    let names = Names::new(asked.name_any(), here.namespace.as_str());
    let (cluster, status) = taken(here, asked).await?;
    let (mut seen, set, _) = observe::objects(&here.client, &names).await?;
    let image = set.as_ref().and_then(image);
    // What is asked for is the same wherever the operator runs.
    let image = image.unwrap_or_else(|| concat!("kvs:", env!("CARGO_PKG_VERSION")).to_owned());
    let site = Site { image, namespace: "kvs-system".into(), monitors: false };
    let blueprint = Blueprint::new(&cluster, &site);
    let config = blueprint.config().map_err(|error| PluginError::Refused(error.to_string()))?;
    let maps: Api<ConfigMap> = Api::namespaced(here.client.clone(), &here.namespace);
    let kept = maps.get_opt(&names.template()).await?;
    let kept = kept.and_then(|map| Template::read(&serde_json::to_value(map).ok()?));
    let template = blueprint.in_force(blueprint.template(config), kept).template;
    seen.identity = if seen.claims.is_empty() { Identity::Absent } else { Identity::Present };
    seen.members = members(&names, &status, &seen);
    Ok(forecast(&Wish::of(&cluster, &template.hash), &seen))
}

/// The cluster as the API server would take it, with its defaults, and how it is now.
async fn taken(
    here: &Here,
    mut asked: KvsCluster,
) -> Result<(KvsCluster, Vec<MemberStatus>), PluginError> {
    let clusters = here.clusters();
    let name = asked.name_any();
    asked.metadata.namespace = Some(here.namespace.clone());
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let Some(live) = clusters.get_opt(&name).await? else {
        return Ok((clusters.create(&dry, &asked).await?, Vec::new()));
    };
    asked.metadata.resource_version = live.resource_version();
    // What was released stays released.
    let mut annotations = live.metadata.annotations.clone().unwrap_or_default();
    annotations.extend(asked.metadata.annotations.take().unwrap_or_default());
    asked.metadata.annotations = Some(annotations);
    let members = live.status.map(|status| status.members).unwrap_or_default();
    Ok((clusters.replace(&name, &dry, &asked).await?, members))
}

fn image(set: &StatefulSet) -> Option<String> {
    let containers = &set.spec.as_ref()?.template.spec.as_ref()?.containers;
    containers.iter().find(|one| one.name == "kvs")?.image.clone()
}

/// The nodes, as the operator last told of them: those that answered then, answer.
fn members(names: &Names, told: &[MemberStatus], seen: &Observed) -> BTreeMap<Ordinal, MemberSeen> {
    let known: BTreeMap<Ordinal, Uuid> = told
        .iter()
        .filter(|member| member.state != MemberState::Unknown)
        .filter_map(|member| {
            let ordinal = u32::try_from(member.ordinal).ok()?;
            Some((ordinal, member.node.as_ref()?.parse().ok()?))
        })
        .collect();
    let peer = |ordinal: Ordinal| PeerSeen {
        name: Some(names.pod(ordinal)),
        standing: Standing::Joined,
        reachable: true,
        agreed: Some(seen.now),
    };
    let member = |own: Ordinal, node: Uuid| MemberSeen {
        node,
        version: None,
        life: Life::Serving,
        draining: false,
        departure: None,
        now: seen.now,
        peers: known
            .iter()
            .filter(|(ordinal, _)| **ordinal != own)
            .map(|(ordinal, node)| (*node, peer(*ordinal)))
            .collect(),
    };
    known.iter().map(|(ordinal, node)| (*ordinal, member(*ordinal, *node))).collect()
}

fn told(name: &str, made: &Forecast) -> String {
    let Forecast { steps, halts } = made;
    if steps.is_empty() && halts.is_none() {
        return format!("{name}: nothing to do\n");
    }
    let line = |(number, (kind, step)): (usize, &(&str, String))| {
        format!("{:4}. {kind:10} {step}\n", number + 1)
    };
    let lines: String = steps.iter().enumerate().map(line).collect();
    let end = halts.as_ref().map_or_else(
        || "Then all is as asked for.".to_owned(),
        |why| format!("It halts there: {why}"),
    );
    format!("{name}:\n{lines}{end}\n")
}
