//! Commands that need no node.

use kvs_core::{Key, Superseded};
use kvs_node::conflict;
use serde_json::Value;

use crate::machine::{Machine, one_line, stdout, text};

#[test]
fn the_settings_in_force_name_where_they_came_from() {
    let machine = Machine::new();
    machine.config("node1");
    let show = ["config", "node1", "--revisions", "7"];
    let listed = stdout(&machine.kvs(show).env("KVS__LOG_LEVEL", "warn").assert().success());
    for (setting, origin) in [
        ("port: 0", "node1.yaml:1"),
        ("log_level: warn", "KVS__LOG_LEVEL"),
        ("revisions: 7", "--revisions"),
        ("durability: sync", "default"),
    ] {
        let line = listed.lines().find(|line| line.starts_with(setting)).unwrap();
        assert!(line.ends_with(origin), "{line}");
    }
    let json = stdout(&machine.kvs(["config", "node1", "--json"]).assert().success());
    assert!(serde_json::from_str::<Value>(&json).unwrap().is_array());
}

#[test]
fn a_configuration_is_checked_without_starting_anything() {
    let machine = Machine::new();
    let written = stdout(&machine.kvs(["config", "default"]).assert().success());
    machine.file("new.yaml", &written);
    machine.kvs(["config", "check", "new.yaml"]).assert().success();
    machine.file("bad.yaml", "sync_interval: 300\n");
    let refused = machine.kvs(["config", "check", "bad"]).assert().code(64);
    one_line(&refused, ["bad.yaml:1", "300s"]);
    let schema = stdout(&machine.kvs(["config", "schema"]).assert().success());
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["port"].is_object());
}

#[test]
fn a_unit_runs_this_program_with_this_configuration() {
    let machine = Machine::new();
    let config = machine.config("node1");
    let unit = stdout(&machine.kvs(["systemd", "node1", "--user", "me"]).assert().success());
    for line in [
        format!("ExecStart={} run {}", env!("CARGO_BIN_EXE_kvs"), text(&config)),
        format!("ReadWritePaths={}", text(&machine.path("data-node1"))),
        "User=me".to_owned(),
    ] {
        assert!(unit.lines().any(|found| found == line), "{line} in {unit}");
    }
}

#[test]
fn every_shell_has_completions() {
    let machine = Machine::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&machine.kvs(["completions", shell]).assert().success());
        assert!(script.contains("history"), "{shell}");
    }
}

#[test]
fn a_conflict_has_one_key_and_stamp_and_several_versions() {
    let machine = Machine::new();
    let make = ["conflict", "one", "two", "three", "--key", "home/room", "--json"];
    for _ in 0..2 {
        machine.kvs(make).assert().success();
    }
    let key = Key::client("home/room").unwrap();
    let read = |dir| conflict::read(&key, &machine.path(dir)).unwrap().unwrap();
    let [one, two, three] = ["one", "two", "three"].map(read);
    assert_eq!((one.stamp, two.stamp), (two.stamp, three.stamp));
    assert_ne!(one.uuid, two.uuid);
    assert_ne!(two.uuid, three.uuid);
    let outcome = kvs_core::merge(&one.rank(), &two.rank());
    assert_eq!(outcome, kvs_core::Outcome::First(Superseded::YoungerOrigin), "the oldest wins");
}

#[test]
fn a_conflict_is_not_made_under_a_running_node() {
    let machine = Machine::new();
    machine.start("node1");
    let refused = machine.kvs(["conflict", "data-node1", "other"]).assert().code(1);
    one_line(&refused, [&format!("process {}", machine.pid("node1"))]);
    let few = machine.kvs(["conflict", "a", "b", "--value", "1"]).assert().code(2);
    one_line(&few, ["1 values for 2 directories"]);
}

#[test]
fn nodes_come_to_the_value_of_the_oldest_of_them() {
    for names in [&["node1", "node2"][..], &["node1", "node2", "node3"]] {
        let machine = Machine::new();
        let dirs: Vec<String> = names.iter().map(|name| format!("data-{name}")).collect();
        let made = machine.kvs(["conflict"]).args(&dirs).args(["--key", "a"]).assert().success();
        let said = stdout(&made);
        assert!(said.contains("All nodes will hold what data-node1 has"), "{said}");
        let mut seeds: Vec<String> = Vec::new();
        for name in names {
            let known: Vec<&str> = seeds.iter().map(String::as_str).collect();
            let address = machine.config_with_seeds(name, &known);
            seeds.push(address);
        }
        let urls: Vec<String> = names.iter().map(|name| machine.start_configured(name)).collect();
        for url in &urls {
            machine.wait_for_members(url, names.len());
            machine.wait_for(url, "a", r#"{"directory":1}"#);
        }
        let sync = ["cluster", "sync", "--wait", "--server", &urls[0]];
        let equal = stdout(&machine.kvs(sync).assert().success());
        assert_eq!(equal.matches(": equal").count(), names.len() - 1, "{equal}");
    }
}

#[test]
fn directories_of_several_clusters_are_not_made_to_disagree() {
    let machine = Machine::new();
    machine.kvs(["conflict", "a", "b"]).assert().success();
    machine.kvs(["conflict", "c", "d"]).assert().success();
    let refused = machine.kvs(["conflict", "a", "c"]).assert().code(1);
    one_line(&refused, ["a is of cluster", "c of cluster"]);
    machine.kvs(["conflict", "a", "b", "new"]).assert().success();
}

#[test]
fn a_conflict_adds_to_the_history_of_a_key_and_takes_nothing_from_it() {
    let machine = Machine::new();
    machine.file(
        "node1.yaml",
        "port: 0\ndigest_leaves: 65536\ndata_dir: one\nrevisions: 6\n\
                 serve_while_syncing: true\nauth_enabled: false\n",
    );
    let start = || {
        machine.kvs(["start", "node1"]).assert().success();
        machine.status("node1")["address"].as_str().unwrap().to_owned()
    };
    let url = start();
    for value in ["1", "2", "3", "4", "5", "6"] {
        machine.kvs(["put", "a", value, "--server", &url]).assert().success();
    }
    machine.kvs(["stop", "node1"]).assert().success();
    machine.kvs(["conflict", "one", "two", "--key", "a"]).assert().success();
    let history = ["history", "a", "--json", "--server", &start()];
    let versions = stdout(&machine.kvs(history).assert().success());
    // Six older ones, one more than the default keeps, beside the one that was made.
    assert_eq!(versions.lines().count(), 7, "{versions}");
}
