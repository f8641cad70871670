//! The operator's rights against what it did: the audit log since the cluster began.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Outcome;
use crate::audit::Audit;
use crate::failure::{Failure, expect};
use crate::kubernetes;
use crate::site::Site;

/// What is granted.
const INSTALL: &str = include_str!("../../../install.yaml");

const NO_KIND: &str = "there is no such kind here";

/// Rights that no scenario uses, each with a reason.
const UNUSED: &[(&str, &str)] = &[
    ("list monitoring.coreos.com servicemonitors", NO_KIND),
    ("create monitoring.coreos.com servicemonitors", NO_KIND),
    ("patch monitoring.coreos.com servicemonitors", NO_KIND),
    ("delete monitoring.coreos.com servicemonitors", NO_KIND),
    (
        "update kvs.kalzu.dev kvsclusters/finalizers",
        "asked for by a plug-in of API servers that is off here",
    ),
];

pub(super) fn run(site: &Site) -> Outcome {
    let requests = Audit::whole(site.audit_path()?).of_operator()?;
    let refused: Vec<String> = requests
        .iter()
        .filter(|request| request.is_forbidden())
        .map(crate::audit::Request::line)
        .collect();
    expect(refused.is_empty(), || format!("used and not granted: {}", refused.join(", ")))?;
    let used: BTreeSet<String> =
        requests.iter().flat_map(|one| one.right().into_iter().chain(one.implied())).collect();
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
    let granted = granted()?;
    let idle: Vec<String> =
        granted.difference(&used).filter(|right| !is_excused(right)).cloned().collect();
    expect(idle.is_empty(), || format!("granted and never used: {}", idle.join(", ")))?;
    Ok(format!(
        "{} rights granted, {} used, {} requests",
        granted.len(),
        used.len(),
        requests.len()
    ))
}

fn is_excused(right: &str) -> bool {
    UNUSED.iter().any(|(excused, _)| *excused == right)
}

/// `verb group/resource` of every rule that is installed for the operator.
fn granted() -> Result<BTreeSet<String>, Failure> {
    let objects = kubernetes::objects(INSTALL)?;
    let roles = objects.iter().filter(|object| {
        matches!(object["kind"].as_str(), Some("ClusterRole" | "Role"))
            && object["metadata"]["name"].as_str() == Some("kvs-operator")
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
