//! The operator's rights against what it did: the audit log since the cluster began.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Outcome;
use crate::audit::{Audit, Request};
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::Site;

/// What is granted.
const INSTALL: &str = include_str!("../../../install.yaml");

/// Rights that no scenario uses, each with a reason.
const UNUSED: &[(&str, &str)] = &[(
    "update kvs.kalzu.dev kvsclusters/finalizers",
    "no request is made with it: the API server's plug-in OwnerReferencesPermissionEnforcement, which is off here, \
     asks whether whoever names an owner that is to be deleted last has it",
)];

/// Where the scenario `helm` has an operator of one namespace, by a chart that grants it the same rules.
const NAMESPACED: &str = "e2e-helm";

pub(super) fn run(site: &Site) -> Outcome {
    let log = Audit::whole(site.audit_path()?);
    let (shared, mut namespaced) = (log.of_operator()?, log.of_operator_in(NAMESPACED)?);
    let granted = granted()?;
    namespaced.retain(|request| !is_of_its_end(request, &granted));
    let mut used = BTreeSet::new();
    for requests in [&shared, &namespaced] {
        within_rights(requests)?;
        used.extend(requests.iter().flat_map(|one| one.right().into_iter().chain(one.implied())));
    }
    let listed: Vec<&String> = used
        .iter()
        .filter(|right| {
            right.ends_with(" core secrets")
                && !right.starts_with("get ")
                && !right.starts_with("create ")
                && !right.starts_with("patch ")
        })
        .collect();
    expect(listed.is_empty(), || format!("Secrets are not read by name alone: {listed:?}"))?;
    let idle: Vec<String> =
        granted.difference(&used).filter(|right| !is_excused(right)).cloned().collect();
    expect(idle.is_empty(), || format!("granted and never used: {}", idle.join(", ")))?;
    let of_namespace = match namespaced.len() {
        0 => "of an operator of one namespace: not run".to_owned(),
        count => format!("{count} of an operator of one namespace"),
    };
    Ok(format!(
        "{} rights granted, {} used, {} requests; {of_namespace}",
        granted.len(),
        used.len(),
        shared.len()
    ))
}

/// Whether it was refused what its own namespace's role grants: Helm deletes that before the last pod has ended.
fn is_of_its_end(request: &Request, granted: &BTreeSet<String>) -> bool {
    let within = request.object_ref.as_ref().is_some_and(|object| object.namespace == NAMESPACED);
    let granted = request.right().is_some_and(|right| granted.contains(&right));
    request.is_forbidden() && within && granted
}

/// Nothing was asked for that is not granted.
fn within_rights(requests: &[Request]) -> Result<(), Failure> {
    let refused = requests.iter().filter(|request| request.is_forbidden());
    let refused: BTreeSet<String> = refused.map(Request::line).collect();
    expect(refused.is_empty(), || format!("used and not granted: {refused:?}"))
}

fn is_excused(right: &str) -> bool {
    UNUSED.iter().any(|(excused, _)| *excused == right)
}

/// `verb group/resource` of every rule that is installed for the operator.
fn granted() -> Result<BTreeSet<String>, Failure> {
    let objects = kubernetes::objects(INSTALL)?;
    let roles = objects.iter().filter(|object| {
        matches!(object["kind"].as_str(), Some("ClusterRole" | "Role"))
            && matches!(
                object["metadata"]["name"].as_str(),
                Some("kvs-operator" | "kvs-operator-lease")
            )
    });
    let rules = roles.flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default());
    Ok(rules.flat_map(|rule| rights(&rule)).collect())
}

fn rights(rule: &Value) -> Vec<String> {
    let words = |name: &str| -> Vec<String> {
        let all = rule[name].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let (groups, resources, verbs) = (words("apiGroups"), words("resources"), words("verbs"));
    let mut all = Vec::new();
    for group in &groups {
        let group = if group.is_empty() { "core" } else { group };
        for resource in &resources {
            all.extend(verbs.iter().map(|verb| format!("{verb} {group} {resource}")));
        }
    }
    all
}
