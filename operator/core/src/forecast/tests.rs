use serde_json::{Value, json};

use super::*;
use crate::crd::KvsCluster;

fn wish(spec: &Value, template: &str) -> Wish {
    let mut object = json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsCluster",
        "metadata": { "name": "db", "namespace": "apps" },
        "spec": { "storage": { "size": "1Gi", "retain": "DeleteOnScaleDown" } },
    });
    for (name, value) in spec.as_object().unwrap() {
        object["spec"][name] = value.clone();
    }
    let cluster: KvsCluster = serde_json::from_value(object).unwrap();
    Wish::of(&cluster, template)
}

/// What a cluster is once it has come to be.
fn settled(replicas: u32) -> Observed {
    let wish = wish(&json!({ "replicas": replicas }), "old");
    let mut course = Course::new(&wish, Observed::default());
    for _ in 0..50 {
        let next = plan(&wish, &course.seen);
        if next.kind.is_none() {
            return course.seen;
        }
        let changes = course.changes(&next);
        course.take(&next, changes);
    }
    panic!("it does not come to rest");
}

fn steps(spec: &Value, template: &str, seen: &Observed) -> Vec<String> {
    let made = forecast(&wish(spec, template), seen);
    assert_eq!(made.halts, None, "{:?}", made.steps);
    made.steps.into_iter().map(|(_, step)| step).collect()
}

#[test]
fn where_all_is_as_it_should_be_nothing_is_to_come() {
    assert_eq!(steps(&json!({}), "old", &settled(3)), Vec::<String>::new());
}

#[test]
fn another_template_restarts_every_pod_from_the_highest_down() {
    let restarts = steps(&json!({}), "new", &settled(3));
    let restarts: Vec<_> = restarts.iter().filter(|step| step.starts_with("restart")).collect();
    assert_eq!(restarts, ["restart pod 2", "restart pod 1", "restart pod 0"]);
}

#[test]
fn nodes_leave_before_their_pods_and_disks_do() {
    let steps = steps(&json!({ "replicas": 2 }), "old", &settled(3));
    let at = |text: &str| steps.iter().position(|step| step.contains(text)).expect(text);
    let order =
        ["drain node 2", "have node 2 leave", "have 2 pods instead of 3", "delete disk 2"].map(at);
    assert!(order.is_sorted(), "{steps:?}");
}

#[test]
fn a_node_that_is_to_be_held_down_is_restarted_once() {
    let made = forecast(&wish(&json!({ "fenced": [1] }), "old"), &settled(3));
    assert_eq!(made.steps, [("Fence", "restart pod 1".to_owned())]);
    assert!(made.halts.unwrap().contains("take it out of spec.fenced"));
}

#[test]
fn larger_disks_make_the_stateful_set_anew() {
    let storage = json!({ "storage": { "size": "2Gi" } });
    let steps = steps(&storage, "old", &settled(3));
    let grown = steps.iter().filter(|step| step.starts_with("let disk")).count();
    assert_eq!(grown, 3, "{steps:?}");
    assert!(steps.iter().any(|step| step == "make the StatefulSet again"), "{steps:?}");
}

#[test]
fn what_people_must_do_first_is_said() {
    let mut seen = settled(3);
    seen.identity = crate::observed::Identity::Absent;
    let made = forecast(&wish(&json!({ "replicas": 5 }), "old"), &seen);
    assert!(made.halts.unwrap().contains("restore the Secret"));
}

#[test]
fn a_backup_comes_back_before_there_are_nodes() {
    let spec = json!({ "identitySecret": "mine", "bootstrap": { "fromBackup": {
        "target": "s3://backups/db", "name": "kvs-0190b6f24c1e-20261123T030000000Z", "secretName": "key",
    } } });
    let seen = Observed { identity: crate::observed::Identity::Present, ..Observed::default() };
    let steps = steps(&spec, "old", &seen);
    let at = |text: &str| steps.iter().position(|step| step.contains(text)).expect(text);
    let order = [
        "make disk 0 for the backup",
        "bring the backup back",
        "make the StatefulSet with 1 pods",
        "have 3 pods instead of 1",
    ];
    assert!(order.map(at).is_sorted(), "{steps:?}");
}
