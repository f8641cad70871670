//! The rules of the API server, judged here.

use serde_json::{Value, json};

use super::*;

fn schema() -> Value {
    let definition = serde_json::to_value(definition()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn cluster(name: &str, spec: Value) -> Value {
    let mut object =
        json!({ "metadata": { "name": name }, "spec": { "storage": { "size": "1Gi" } } });
    let Value::Object(fields) = spec else { panic!() };
    for (field, value) in fields {
        object["spec"][field] = value;
    }
    object
}

/// The messages of the rules that refuse this, with the schema's defaults filled in.
fn refused(object: &Value, old: Option<&Value>) -> Vec<String> {
    let schema = schema();
    let filled = |object: &Value| kube_cel::apply_defaults(&schema, object);
    let (object, old) = (filled(object), old.map(filled));
    match kube_cel::validate(&schema, &object, old.as_ref()) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
    }
}

fn check(spec: Value, says: &str) {
    let messages = refused(&cluster("db", spec), None);
    assert!(messages.len() == 1 && messages[0].contains(says), "{says}: {messages:?}");
}

fn check_change(from: Value, to: Value, says: Option<&str>) {
    let messages = refused(&cluster("db", to), Some(&cluster("db", from)));
    match says {
        Some(says) => assert!(messages.len() == 1 && messages[0].contains(says), "{messages:?}"),
        None => assert_eq!(messages, Vec::<String>::new()),
    }
}

#[test]
fn generated_definitions_are_committed() {
    for (name, text) in texts().unwrap() {
        crate::golden::check(&format!("crds/{name}.yaml"), &text);
    }
}

#[test]
fn the_definition_stays_small_enough_to_be_applied() {
    // What `kubectl apply` keeps in an annotation may have 256 KiB.
    for (name, text) in texts().unwrap() {
        assert!(text.len() < 160 << 10, "{name}: {}", text.len());
    }
}

#[test]
fn the_smallest_cluster_is_taken_and_has_its_defaults() {
    let smallest = cluster("db", json!({}));
    assert_eq!(refused(&smallest, None), Vec::<String>::new());
    let read: KvsClusterSpec = serde_json::from_value(smallest["spec"].clone()).unwrap();
    let filled = kube_cel::apply_defaults(&schema(), &smallest);
    let from_schema: KvsClusterSpec = serde_json::from_value(filled["spec"].clone()).unwrap();
    assert_eq!(read, from_schema);
    assert_eq!(read.replicas, 3);
}

#[test]
fn names_fit_all_that_is_made_of_them() {
    let of = |name: &str| refused(&cluster(name, json!({})), None);
    assert_eq!(of(&"a".repeat(40)), Vec::<String>::new());
    assert!(of(&"a".repeat(41))[0].contains("more than 40 characters"));
    for name in ["1db", "my.db", "db-"] {
        assert!(of(name)[0].contains("begin with a letter"), "{name}");
    }
}

#[test]
fn disks_have_a_size_that_only_grows() {
    let sized = |size: &str| json!({ "storage": { "size": size } });
    check(sized("ten"), "write a number and a unit, such as 10Gi");
    check(sized("511Mi"), "less than 512Mi");
    check_change(sized("1Gi"), sized("1023Mi"), Some("can grow and not shrink"));
    check_change(sized("1Gi"), sized("1024Mi"), None);
    check_change(sized("1Gi"), sized("2Gi"), None);
}

#[test]
fn what_a_cluster_is_does_not_change() {
    let class = |name: &str| json!({ "storage": { "size": "1Gi", "storageClassName": name } });
    for to in [class("b"), json!({})] {
        check_change(class("a"), to, Some("storageClassName cannot change"));
    }
    check_change(json!({}), class("a"), Some("storageClassName cannot change"));
    let identity = |name: &str| json!({ "identitySecret": name });
    for to in [identity("b"), json!({})] {
        check_change(identity("a"), to, Some("identitySecret cannot change"));
    }
    check_change(identity("a"), identity("a"), None);
}

fn of_backup(field: &str, value: &str) -> Value {
    let mut backup = json!({
        "target": "s3://backups/db", "name": "kvs-0190b6f24c1e-20261123T030000000Z",
        "endpoint": "https://s3.example.org:9000", "secretName": "backup-key",
    });
    backup[field] = json!(value);
    json!({ "bootstrap": { "fromBackup": backup }, "identitySecret": "db-identity" })
}

#[test]
fn a_backup_is_named_so_that_it_can_be_found() {
    for (field, value) in [
        ("region", "eu-central-1"),
        ("target", "s3://abc"),
        ("target", "s3://a.b-1/x/y"),
        ("endpoint", "https://[::1]/"),
    ] {
        assert_eq!(refused(&cluster("db", of_backup(field, value)), None), Vec::<String>::new());
    }
    for target in ["backups", "s3://ab", "s3://abc/", "s3://abc//x", "s3://ABC", "s3://abc/ x"] {
        check(of_backup("target", target), "write s3://bucket or s3://bucket/prefix");
    }
    for name in ["nightly", "kvs-0190b6f24c1e-20261123T030000000Z.tar.zst"] {
        check(of_backup("name", name), "as status.backup of a KvsBackup has it");
    }
    for endpoint in ["http://s3.example.org", "https://s3.example.org/x", "s3.example.org"] {
        check(of_backup("endpoint", endpoint), "must be https://host");
    }
    let mut alone = of_backup("region", "a");
    alone.as_object_mut().unwrap().remove("identitySecret");
    check(alone, "fromBackup needs spec.identitySecret");
}

#[test]
fn how_a_cluster_began_does_not_change() {
    let (one, other) = (of_backup("region", "a"), of_backup("region", "b"));
    let without = json!({ "identitySecret": "db-identity" });
    check_change(one.clone(), one.clone(), None);
    for (from, to) in [(&one, &other), (&one, &without), (&without, &one)] {
        check_change(from.clone(), to.clone(), Some("spec.bootstrap cannot change"));
    }
}

#[test]
fn canaries_are_at_most_all_pods() {
    let of = |canary: i32| json!({ "replicas": 2, "rollout": { "canary": canary } });
    check(of(3), "canary is more than spec.replicas");
    assert_eq!(refused(&cluster("db", of(2)), None), Vec::<String>::new());
}

#[test]
fn who_is_held_down_is_one_of_the_nodes() {
    let of = |fenced: Value| json!({ "replicas": 2, "fenced": fenced });
    check(of(json!([2])), "from 0 to spec.replicas - 1");
    for right in [json!([]), json!([0]), json!([1, 0])] {
        assert_eq!(refused(&cluster("db", of(right)), None), Vec::<String>::new());
    }
}

#[test]
fn tls_names_a_secret_exactly_when_it_uses_one() {
    check(json!({ "tls": { "mode": "Secret" } }), "secretName must name a Secret");
    check(json!({ "tls": { "secretName": "web" } }), "no effect while spec.tls.mode is Off");
}

#[test]
fn what_is_the_operators_is_left_to_it() {
    let label = json!({ "app.kubernetes.io/name": "x" });
    check(json!({ "podLabels": label }), "the operator's own");
    check(json!({ "podAnnotations": { "kvs.kalzu.dev/x": "y" } }), "the operator's own");
    check(
        json!({ "service": { "annotations": { "kvs.kalzu.dev/x": "y" } } }),
        "the operator's own",
    );
    check(json!({ "env": [{ "name": "KVS__PORT", "value": "1" }] }), "below spec.config");
    check(json!({ "image": "kvs: 1" }), "a space or line break");
}

#[test]
fn amounts_are_numbers_or_have_a_unit() {
    let requests = json!({ "cpu": 2, "memory": "1Gi", "ephemeral-storage": "1e9" });
    let right = cluster("db", json!({ "resources": { "requests": requests } }));
    assert_eq!(refused(&right, None), Vec::<String>::new());
    check(json!({ "resources": { "requests": { "memory": "lots" } } }), "such as 500m or 1Gi");
    check(json!({ "resources": { "limits": { "cpu": "two" } } }), "such as 500m or 1Gi");
}

#[test]
fn every_rule_is_judged_by_a_test_here() {
    // A rule that is added changes this number, and whoever adds it comes by here. Those of settings are made of
    // the node's own patterns.
    let mut schema = schema();
    schema["properties"]["spec"]["properties"]["config"].take();
    assert_eq!(schema.to_string().matches("\"rule\":").count(), 24);
}

#[test]
fn of_settings_sizes_and_durations_are_told_as_they_are_written() {
    let size =
        "write a size such as 64MiB: a whole number and its unit, one of B, KiB, MiB, GiB, TiB";
    let duration =
        "write a duration such as 30s: a whole number and its unit, one of ms, s, m, h, d";
    for (wrong, says) in [
        (json!({ "block_cache": "big" }), size),
        (json!({ "limits": { "value_size": "1 MiB" } }), size),
        (json!({ "drain_timeout": "10" }), duration),
        (json!({ "drain_timeout": "10 s" }), duration),
    ] {
        check(json!({ "config": wrong }), says);
    }
    let right = json!({ "block_cache": "64MiB", "drain_timeout": "10s" });
    assert_eq!(refused(&cluster("db", json!({ "config": right })), None), Vec::<String>::new());
}

#[test]
fn nodes_are_given_up_by_their_ids() {
    check(json!({ "forget": ["db-2"] }), "`kubectl kvs members` shows them");
    let right = json!({ "forget": ["0190b6f2-4c1e-7000-8000-000000000001"] });
    assert_eq!(refused(&cluster("db", right), None), Vec::<String>::new());
}

#[test]
fn settings_are_those_of_a_node_less_those_that_are_decided() {
    let config = &schema()["properties"]["spec"]["properties"]["config"]["properties"];
    assert_eq!(config["log_level"]["enum"][0], "error");
    assert_eq!(config["revisions"]["type"], "integer");
    assert_eq!(config["limits"]["properties"]["value_size"]["type"], "string");
    assert!(config.get("port").is_none() && config.get("cluster_file").is_none());
}
