//! The charts: what of them is made from the code, and whether the rest says what is so.

mod schema;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kvs_operator_core::crd;
use serde_json::Value;

fn path(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts").join(of)
}

fn read(of: &str) -> String {
    std::fs::read_to_string(path(of)).unwrap_or_else(|error| panic!("{of}: {error}"))
}

fn yaml(of: &str) -> Value {
    serde_saphyr::from_str(&read(of)).unwrap_or_else(|error| panic!("{of}: {error}"))
}

fn json(of: &str) -> Value {
    serde_json::from_str(&read(of)).unwrap_or_else(|error| panic!("{of}: {error}"))
}

/// Compares, or writes the text where `KVS_UPDATE` is set.
fn check(of: &str, text: &str) {
    if std::env::var_os("KVS_UPDATE").is_some() {
        std::fs::write(path(of), text).unwrap();
    }
    let committed = std::fs::read_to_string(path(of)).unwrap_or_default();
    assert!(committed == text, "charts/{of} is not what the code makes: `make manifests`");
}

/// The definition with a switch, which stays when the release goes.
#[test]
fn generated_definitions_are_committed_in_the_operators_chart() {
    let text = crd::text().unwrap();
    assert!(!text.contains("{{"), "what Helm would take for its own");
    let kept = "metadata:\n  annotations:\n    helm.sh/resource-policy: keep\n";
    let text = text.replace("\nmetadata:\n", &format!("\n{kept}"));
    check(
        "kvs-operator/templates/crds.yaml",
        &format!("{{{{- if .Values.crds.install }}}}\n{text}{{{{- end }}}}\n"),
    );
}

#[test]
fn both_charts_are_of_this_release() {
    for chart in ["kvs-operator", "kvs-cluster"] {
        let chart = yaml(&format!("{chart}/Chart.yaml"));
        assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn every_panel_and_every_alert_has_a_query() {
    let dashboard = json("kvs-operator/files/dashboard.json");
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 10);
    for panel in panels {
        assert!(panel["targets"][0]["expr"].as_str().is_some_and(|query| query.contains("kvs_")));
    }
    for rule in alerts() {
        for field in ["alert", "expr"] {
            assert!(rule[field].is_string(), "{rule}");
        }
        assert!(
            rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string()
        );
    }
}

fn alerts() -> Vec<Value> {
    let groups = yaml("kvs-operator/files/alerts.yaml")["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn every_alert_is_seen_to_fire() {
    // promtool judges what is expected there; that something is expected of each is judged here.
    let tests = yaml("kvs-operator/files/alerts_test.yaml");
    let tests = tests["tests"].as_array().unwrap().iter();
    let judged = tests.flat_map(|test| test["alert_rule_test"].as_array().unwrap());
    let fires = judged.filter(|judged| judged["exp_alerts"].is_array());
    let fires: BTreeSet<_> = fires.map(|judged| judged["alertname"].as_str().unwrap()).collect();
    let alerts = alerts();
    let named: BTreeSet<_> = alerts.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    assert!(named.len() > 10);
    assert_eq!(named, fires);
}
