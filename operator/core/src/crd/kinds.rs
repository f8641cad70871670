//! The rules of the kinds beside `KvsCluster`, judged here.

use serde_json::{Value, json};

use super::*;

fn schema(kind: &str) -> Value {
    let mut all = definitions().into_iter();
    let definition = all.find(|one| one.spec.names.kind == kind).unwrap();
    let definition = serde_json::to_value(definition).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn object(name: &str, spec: &Value) -> Value {
    json!({ "metadata": { "name": name }, "spec": spec })
}

/// The messages of the rules that refuse this, with the schema's defaults filled in.
fn refused(kind: &str, object: &Value, old: Option<&Value>) -> Vec<String> {
    let schema = schema(kind);
    let filled = |object: &Value| kube_cel::apply_defaults(&schema, object);
    let (object, old) = (filled(object), old.map(filled));
    match kube_cel::validate(&schema, &object, old.as_ref()) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| error.message).collect(),
    }
}

/// Checks that a spec is taken, or refused with these words alone.
fn check(kind: &str, spec: &Value, old: Option<&Value>, says: Option<&str>) {
    let (new, old) = (object("a", spec), old.map(|old| object("a", old)));
    let messages = refused(kind, &new, old.as_ref());
    match says {
        Some(says) => {
            assert!(messages.len() == 1 && messages[0].contains(says), "{spec}: {messages:?}");
        }
        None => assert_eq!(messages, Vec::<String>::new(), "{spec}"),
    }
}

#[test]
fn a_backup_is_of_one_cluster_for_ever() {
    let of = |cluster: &str| json!({ "cluster": cluster });
    check("KvsBackup", &of("db"), None, None);
    check("KvsBackup", &of("db"), Some(&of("db")), None);
    check("KvsBackup", &of("other"), Some(&of("db")), Some("make another KvsBackup"));
}

fn nightly(schedule: &str) -> Value {
    json!({ "cluster": "db", "schedule": schedule })
}

#[test]
fn what_the_rule_of_schedules_takes_a_node_takes_and_the_other_way_round() {
    for good in [
        "0 3 * * *",
        "*/5 * * * *",
        "0,30 1-5/2 1,15 jan-Mar MON",
        "59 23 31 12 7",
        "00 03 01 01 0",
        "  0   3 * * *  ",
        "1-5,7 * * * *",
    ] {
        assert!(good.parse::<kvs_config::Schedule>().is_ok(), "{good}");
        check("KvsBackupSchedule", &nightly(good), None, None);
    }
    for bad in [
        "0 3 * *",
        "0 3 * * * *",
        "60 3 * * *",
        "0 24 * * *",
        "0 3 0 * *",
        "0 3 32 * *",
        "0 3 * 13 *",
        "0 3 * 0 *",
        "0 3 * * 8",
        "0 3 * * monday",
        "@daily xxxxx",
        "*/0 3 * * *",
        "0,, 3 * * *",
        "a b c d e",
    ] {
        assert!(bad.parse::<kvs_config::Schedule>().is_err(), "{bad}");
        check("KvsBackupSchedule", &nightly(bad), None, Some("five cron fields in UTC"));
    }
}

#[test]
fn a_schedule_is_of_one_cluster_and_its_times_may_change() {
    let other = json!({ "cluster": "other", "schedule": "0 3 * * *" });
    let says = Some("Make another KvsBackupSchedule");
    check("KvsBackupSchedule", &other, Some(&nightly("0 3 * * *")), says);
    check("KvsBackupSchedule", &nightly("0 4 * * *"), Some(&nightly("0 3 * * *")), None);
    let of = |name: &str| refused("KvsBackupSchedule", &object(name, &nightly("0 3 * * *")), None);
    assert_eq!(of(&"a".repeat(52)), Vec::<String>::new());
    assert!(of(&"a".repeat(53))[0].contains("more than 52 characters"));
}

fn cart(fields: Value) -> Value {
    let mut spec = json!({ "cluster": "db" });
    let Value::Object(fields) = fields else { panic!() };
    for (name, value) in fields {
        spec[name] = value;
    }
    spec
}

#[test]
fn scopes_of_users_are_what_a_node_takes() {
    for good in [
        "*",
        "read",
        "write",
        "delete",
        "read:a",
        "write:home/room",
        "delete:a b",
        "admin:*",
        "admin:users:*",
        "admin:users:create",
        "admin:groups:delete",
        "admin:tokens:revoke",
        "admin:resources:*",
        "admin:resources:read",
        "admin:resources:update:home",
        "admin:cluster:update",
        "admin:backups:download",
        "admin:audit:read",
    ] {
        assert!(good.parse::<kvs_core::Scope>().is_ok(), "{good}");
        check("KvsUser", &cart(json!({ "scopes": ["read", good] })), None, None);
    }
    for bad in [
        "Read",
        "fly",
        "read:",
        "admin",
        "admin:",
        "admin:users",
        "admin:users:revoke",
        "*:a",
        "admin:tokens:update",
        "admin:cluster:create",
        "admin:audit:update",
        "admin:users:create:a",
        " read",
        "read ",
    ] {
        assert!(bad.parse::<kvs_core::Scope>().is_err(), "{bad}");
        let says = Some("spec.scopes are read, write or delete");
        check("KvsUser", &cart(json!({ "scopes": [bad] })), None, says);
    }
}

#[test]
fn who_a_user_is_does_not_change() {
    let named = |name: &str| cart(json!({ "userName": name }));
    let account = |name: &str| cart(json!({ "serviceAccount": { "name": name } }));
    let of = |cluster: &str| json!({ "cluster": cluster });
    check("KvsUser", &of("b"), Some(&of("a")), Some("spec.cluster cannot change"));
    for to in [named("b"), cart(json!({}))] {
        check("KvsUser", &to, Some(&named("a")), Some("spec.userName cannot change"));
    }
    check("KvsUser", &named("a"), Some(&cart(json!({}))), Some("spec.userName cannot change"));
    for to in [account("b"), cart(json!({}))] {
        check("KvsUser", &to, Some(&account("a")), Some("spec.serviceAccount cannot change"));
    }
    check("KvsUser", &account("a"), Some(&account("a")), None);
}

#[test]
fn a_user_has_one_name_and_one_way_to_show_who_it_is() {
    let both = json!({ "userName": "a", "serviceAccount": { "name": "a" } });
    check("KvsUser", &cart(both), None, Some("exclude each other"));
    let both = json!({ "token": { "secretName": "a" }, "serviceAccount": { "name": "a" } });
    check("KvsUser", &cart(both), None, Some("has no use with spec.serviceAccount"));
}

#[test]
fn names_of_users_are_what_a_node_takes_and_never_root() {
    for good in ["a", "Ann", "corp:ann@example.org", "a+b_c.d-e", "0"] {
        check("KvsUser", &cart(json!({ "userName": good })), None, None);
        check("KvsUser", &cart(json!({ "groups": [good] })), None, None);
    }
    for bad in ["-a", "a b", "ä", ":a"] {
        check("KvsUser", &cart(json!({ "userName": bad })), None, Some("ASCII letters"));
        check("KvsUser", &cart(json!({ "groups": [bad] })), None, Some("names of groups"));
    }
    check("KvsUser", &cart(json!({ "userName": "root" })), None, Some("own first user"));
    let of = |name: &str, spec: Value| refused("KvsUser", &object(name, &spec), None);
    assert!(of("root", cart(json!({})))[0].contains("own first user"));
    assert_eq!(of("root", cart(json!({ "userName": "ann" }))), Vec::<String>::new());
    assert_eq!(of(&"a".repeat(63), cart(json!({}))), Vec::<String>::new());
    assert!(of(&"a".repeat(64), cart(json!({})))[0].contains("more than 63 characters"));
}

#[test]
fn tokens_live_long_enough_to_be_renewed_in_one_secret() {
    let with = |name: &str, ttl: &str| cart(json!({ "token": { "secretName": name, "ttl": ttl } }));
    for good in ["10m", "9999m", "1h", "24h", "7d", "30d"] {
        check("KvsUser", &with("a", good), None, None);
    }
    for bad in ["9m", "90s", "0h", "1w", "1.5h", "24"] {
        check("KvsUser", &with("a", bad), None, Some("10m or more"));
    }
    for bad in ["-a", "A", "a_b", "a/"] {
        check("KvsUser", &with(bad, "1h"), None, Some("must be a Secret's name"));
    }
    let moved = Some("secretName cannot change");
    check("KvsUser", &with("b", "1h"), Some(&with("a", "1h")), moved);
    check("KvsUser", &cart(json!({})), Some(&with("a", "1h")), moved);
    check("KvsUser", &with("a", "2h"), Some(&with("a", "1h")), None);
    check("KvsUser", &with("a", "2h"), Some(&cart(json!({}))), None);
}

#[test]
fn defaults_of_the_schema_are_those_of_the_types() {
    let filled =
        kube_cel::apply_defaults(&schema("KvsBackupSchedule"), &object("a", &nightly("0 3 * * *")));
    let from_schema: KvsBackupScheduleSpec =
        serde_json::from_value(filled["spec"].clone()).unwrap();
    let read = serde_json::from_value(nightly("0 3 * * *")).unwrap();
    assert_eq!(from_schema, read);
    assert_eq!((read.keep, read.suspend), (10, false));
    let spec = cart(json!({ "token": { "secretName": "a" } }));
    let filled = kube_cel::apply_defaults(&schema("KvsUser"), &object("a", &spec));
    let from_schema: KvsUserSpec = serde_json::from_value(filled["spec"].clone()).unwrap();
    assert_eq!(from_schema, serde_json::from_value(spec).unwrap());
}

#[test]
fn every_rule_is_judged_by_a_test_here() {
    let rules = |kind: &str| schema(kind).to_string().matches("\"rule\":").count();
    assert_eq!(["KvsBackup", "KvsBackupSchedule", "KvsUser"].map(rules), [1, 3, 14]);
}

#[test]
fn every_field_is_described() {
    fn walk(schema: &Value, path: &str) {
        for (name, of) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            assert!(of["description"].is_string() || path == ".metadata", "{path}");
            walk(of, &path);
        }
    }
    for kind in ["KvsBackup", "KvsBackupSchedule", "KvsUser"] {
        walk(&schema(kind)["properties"]["spec"], "spec");
    }
}
