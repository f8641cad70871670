//! `kvs cluster`: the file that makes nodes a cluster.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use kvs_client::ClusterFile;
use serde_json::Value;

use crate::machine::{Machine, one_line, stderr, stdout, text};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn new(machine: &Machine, name: &str) -> ClusterFile {
    machine.kvs(["cluster", "new", "--out", name]).assert().success();
    ClusterFile::load(&machine.path(name)).unwrap()
}

#[test]
fn a_new_cluster_has_a_file_of_its_own_that_only_its_owner_reads() {
    let machine = Machine::new();
    let first = new(&machine, "first.kvs");
    assert_ne!(first, new(&machine, "second.kvs"));
    assert_eq!(mode(&machine.path("first.kvs")), 0o600);
    let again = machine.kvs(["cluster", "new", "--out", "first.kvs"]).assert().code(1);
    one_line(&again, ["first.kvs is there already"]);
    assert_eq!(ClusterFile::load(&machine.path("first.kvs")).unwrap(), first, "left alone");
}

#[test]
fn a_new_cluster_file_can_be_printed_and_redirected() {
    let machine = Machine::new();
    let printed = stdout(&machine.kvs(["cluster", "new"]).assert().success());
    ClusterFile::parse(&printed).unwrap();

    let path = machine.file("cluster.kvs", "");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let out = std::fs::File::create(&path).unwrap();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_kvs"))
        .args(["cluster", "new"])
        .stdout(Stdio::from(out))
        .status();
    assert!(status.unwrap().success());
    assert_eq!(mode(&path), 0o600);
    ClusterFile::load(&path).unwrap();
}

#[test]
fn an_empty_node_joins() {
    let machine = Machine::new();
    let file = new(&machine, "cluster.kvs");
    machine.config("node1");
    let said = stdout(&machine.kvs(["cluster", "join", "cluster.kvs", "node1"]).assert().success());
    assert!(said.contains(&file.cluster().to_string()) && said.contains("seed_nodes"), "{said}");
    let own = machine.path("data-node1/cluster.kvs");
    assert_eq!(ClusterFile::load(&own).unwrap(), file);
    assert_eq!(mode(&own), 0o600);
}

#[test]
fn a_node_that_ran_and_has_no_data_joins() {
    let machine = Machine::new();
    new(&machine, "cluster.kvs");
    machine.start("node1");
    let refused = machine.kvs(["cluster", "join", "cluster.kvs", "node1"]).assert().code(1);
    one_line(&refused, ["in use by process"]);
    machine.kvs(["stop", "node1"]).assert().success();
    machine.kvs(["cluster", "join", "cluster.kvs", "node1"]).assert().success();
    machine.start("node1");
}

#[test]
fn a_node_with_data_does_not_join_and_is_told_how() {
    let machine = Machine::new();
    new(&machine, "cluster.kvs");
    let url = machine.start("node1");
    machine.put(&url, "a", "1");
    machine.kvs(["stop", "node1"]).assert().success();
    let own = std::fs::read_to_string(machine.path("data-node1/cluster.kvs")).unwrap();
    let refused = machine.kvs(["cluster", "join", "cluster.kvs", "node1"]).assert().code(1);
    one_line(&refused, ["data-node1 has data", "kvs export", "kvs import"]);
    let still = std::fs::read_to_string(machine.path("data-node1/cluster.kvs")).unwrap();
    assert_eq!(still, own, "left alone");
}

#[test]
fn a_node_of_another_cluster_does_not_join_and_one_of_this_cluster_takes_the_file() {
    let machine = Machine::new();
    let (first, second) = (new(&machine, "first.kvs"), new(&machine, "second.kvs"));
    machine.config("node1");
    machine.kvs(["cluster", "join", "first.kvs", "node1"]).assert().success();
    let refused = machine.kvs(["cluster", "join", "second.kvs", "node1"]).assert().code(1);
    one_line(&refused, [&first.cluster().to_string(), &second.cluster().to_string(), "remove"]);

    machine.kvs(["cluster", "rotate", "first.kvs", "add"]).assert().success();
    machine.kvs(["cluster", "join", "first.kvs", "node1"]).assert().success();
    let own = ClusterFile::load(&machine.path("data-node1/cluster.kvs")).unwrap();
    assert_eq!(own.secrets().len(), 2);
}

#[test]
fn a_secret_is_replaced_step_by_step() {
    let machine = Machine::new();
    let before = new(&machine, "c.kvs");
    let step =
        |arguments: &[&str]| machine.kvs(["cluster", "rotate", "c.kvs"]).args(arguments).assert();
    let done = |arguments: &[&str]| stdout(&step(arguments).success());
    assert!(done(&["add"]).contains("Then: kvs cluster rotate c.kvs promote 2"));
    assert!(done(&["promote", "2"]).contains("Then: kvs cluster rotate c.kvs drop 2"));
    let listed = done(&["list", "--json"]);
    let numbers = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let numbers = numbers.map(|line| (line["number"].clone(), line["used"].clone()));
    assert_eq!(numbers.collect::<Vec<_>>(), [(1.into(), true.into()), (2.into(), false.into())]);
    assert!(done(&["drop", "2"]).contains("worth nothing"));
    let after = ClusterFile::load(&machine.path("c.kvs")).unwrap();
    assert_eq!((after.cluster(), after.secrets().len()), (before.cluster(), 1));
    assert_ne!(after.secrets(), before.secrets());
    assert_eq!(mode(&machine.path("c.kvs")), 0o600);
    for wrong in [["drop", "1"], ["drop", "0"], ["promote", "2"]] {
        let refused = step(&wrong).code(1);
        one_line(&refused, []);
        let said = stderr(&refused);
        assert!(said.contains("first") || said.contains("there is no secret"), "{said}");
    }
}

#[test]
fn a_file_that_others_can_read_is_refused_with_what_to_do() {
    let machine = Machine::new();
    new(&machine, "cluster.kvs");
    let path = machine.path("cluster.kvs");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    for arguments in [&["join", text(&path)][..], &["rotate", text(&path), "list"]] {
        let refused = machine.kvs(["cluster"]).args(arguments).assert().code(1);
        one_line(&refused, ["chmod 600", "0644"]);
    }
}
