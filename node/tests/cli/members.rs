//! Commands about a cluster that runs.

use rustix::process::Signal;
use serde_json::Value;

use crate::machine::{Machine, one_line, signal, stdout, wait_until};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_cluster_is_shown_as_people_and_programs_read_it() {
    let machine = Machine::new();
    let [first, second] = machine.cluster(["node1", "node2"]);
    let shown = stdout(&machine.kvs(["cluster", "status", "--server", &first]).assert().success());
    for word in ["as node1", "node1 is serving", "AGREED", "node2", "up", "serving", "none"] {
        assert!(shown.contains(word), "{word} in {shown}");
    }
    let members = machine.kvs(["member", "list", "--json", "--server", &second]).assert().success();
    let names: Vec<_> = lines(&stdout(&members)).into_iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["node1", "node2"]);

    let status = machine.status("node1");
    assert_eq!((&status["members"], &status["versions_behind"]), (&2.into(), &0.into()));
    let all = stdout(&machine.kvs(["status"]).assert().success());
    assert!(all.contains("MEMBERS  LAG"), "{all}");

    let synced = machine.kvs(["cluster", "sync", "--json", "--server", &first]).assert().success();
    let [line] = lines(&stdout(&synced)).try_into().unwrap();
    assert_eq!((line["name"].as_str(), line["outcome"].as_str()), (Some("node2"), Some("equal")));
    let synced = machine.kvs(["cluster", "sync", "--wait", "--server", &second]).assert().success();
    assert_eq!(stdout(&synced), "node1: equal\n");
}

#[test]
fn a_node_that_was_told_to_be_read_only_stays_so_until_it_is_told_otherwise() {
    let machine = Machine::new();
    let url = machine.start("node1");
    machine.kvs(["cluster", "mode", "read_only", "--server", &url]).assert().success();
    let refused = machine.kvs(["put", "a", "1", "--server", &url]).assert().code(1);
    one_line(&refused, ["read-only"]);
    machine.kvs(["stop", "node1"]).assert().success();
    let url = machine.start("node1");
    assert_eq!(machine.status("node1")["mode"], "read_only");
    machine.kvs(["cluster", "mode", "normal", "--server", &url]).assert().success();
    machine.put(&url, "a", "1");
}

#[test]
fn a_member_leaves_with_nothing_lost_and_another_is_forgotten() {
    let machine = Machine::new();
    let [first, second, third] = machine.cluster(["node1", "node2", "node3"]);
    machine.put(&third, "a", "1");
    let asked = machine.kvs(["cluster", "leave", "--server", &third]).assert().code(2);
    one_line(&asked, ["node3 will leave", "--yes"]);
    let left = machine.kvs(["cluster", "leave", "--yes", "--server", &third]).assert().success();
    assert!(stdout(&left).contains("node3 has left"), "{}", stdout(&left));
    assert_eq!((machine.get(&first, "a"), machine.get(&second, "a")), ("1".into(), "1".into()));
    let refused = machine.kvs(["put", "b", "1", "--server", &third]).assert().code(1);
    one_line(&refused, ["it has left its cluster"]);
    machine.kvs(["stop", "node3"]).assert().success();

    let reachable = machine.kvs(["member", "forget", "node2", "--yes", "--server", &first]);
    one_line(&{ reachable }.assert().code(1), ["node2 runs", "kvs cluster leave"]);
    machine.kvs(["stop", "node2"]).assert().success();
    let forget =
        || machine.kvs(["member", "forget", "node2", "--yes", "--server", &first]).output();
    wait_until("node2 is known to be away", || forget().unwrap().status.success());
    let standing = |name: &str| {
        let status = machine.cluster_status(&first);
        let peers = status["peers"].as_array().unwrap().clone();
        peers.iter().find(|peer| peer["name"] == name).unwrap()["standing"].clone()
    };
    assert_eq!((standing("node2"), standing("node3")), ("forgotten".into(), "left".into()));
    let unknown = machine.kvs(["member", "forget", "nobody", "--yes", "--server", &first]);
    one_line(&{ unknown }.assert().code(1), ["nobody"]);
    let alone = machine.kvs(["cluster", "leave", "--yes", "--server", &first]).assert().code(1);
    one_line(&alone, ["only member"]);
}

#[test]
fn the_secret_is_replaced_while_the_cluster_runs() {
    let machine = Machine::new();
    machine.kvs(["cluster", "new", "--out", "cluster.kvs"]).assert().success();
    let first = machine.config_with_seeds("node1", &[]);
    machine.config_with_seeds("node2", &[&first]);
    for name in ["node1", "node2"] {
        let mut config = std::fs::read_to_string(machine.path(&format!("{name}.yaml"))).unwrap();
        config.push_str("cluster_file: cluster.kvs\n");
        // A node without seeds that is given a file founds its cluster all the same.
        machine.file(&format!("{name}.yaml"), &config);
    }
    let urls = ["node1", "node2"].map(|name| machine.start_configured(name));
    for url in &urls {
        machine.wait_for_members(url, 2);
    }
    let taken = |name: &str| machine.log(name).matches("secrets were read again").count();
    let steps: [&[&str]; 3] = [&["add"], &["promote", "2"], &["drop", "2"]];
    for (at, step) in steps.into_iter().enumerate() {
        let rotate = ["cluster", "rotate", "cluster.kvs"];
        machine.kvs(rotate).args(step).assert().success();
        for name in ["node1", "node2"] {
            signal(machine.pid(name), Signal::HUP);
            wait_until(&format!("{name} has step {at}"), || taken(name) == at + 1);
        }
        for (from, to) in [(0, 1), (1, 0)] {
            let value = format!("\"{at} {from}\"");
            machine.put(&urls[from], "a", &value);
            machine.wait_for(&urls[to], "a", &value);
        }
        for url in &urls {
            machine.wait_for_members(url, 2);
        }
    }
    for name in ["node1", "node2"] {
        assert!(!machine.log(name).contains("cannot be reached any more"), "{}", machine.log(name));
    }
}

#[test]
fn a_copied_data_directory_becomes_another_nodes() {
    let machine = Machine::new();
    let [first, second] = machine.cluster(["node1", "node2"]);
    machine.put(&second, "a", "1");
    machine.wait_for(&first, "a", "1");
    let id = |url: &str| machine.cluster_status(url)["node"].clone();
    let before = id(&second);
    machine.kvs(["stop", "node2"]).assert().success();
    let asked = machine.kvs(["reset-identity", "node2"]).assert().code(2);
    one_line(&asked, ["will be emptied", "--yes"]);
    machine.kvs(["reset-identity", "node2", "--yes"]).assert().success();
    let second = machine.start_configured("node2");
    machine.wait_for(&second, "a", "1");
    assert_ne!(id(&second), before);

    machine.kvs(["stop", "node1"]).assert().success();
    let refused = machine.kvs(["reset-identity", "node1", "--yes"]).assert().code(1);
    one_line(&refused, ["no `seed_nodes`"]);
}

#[test]
fn a_clock_that_was_right_leaves_nothing_to_repair() {
    let machine = Machine::new();
    let url = machine.start("node1");
    machine.put(&url, "a", "1");
    let running = machine.kvs(["clock", "repair", "node1"]).assert().code(1);
    one_line(&running, ["in use by process"]);
    machine.kvs(["stop", "node1"]).assert().success();
    let said = stdout(&machine.kvs(["clock", "repair", "node1"]).assert().success());
    assert!(said.contains("nothing that this node wrote lies ahead"), "{said}");
    let url = machine.start("node1");
    assert_eq!(machine.get(&url, "a"), "1");
    machine.config("node2");
    let none = machine.kvs(["clock", "repair", "node2"]).assert().code(1);
    one_line(&none, ["no node ever ran"]);
}

#[test]
fn a_new_cluster_writes_the_newest_format() {
    let machine = Machine::new();
    let url = machine.start("node1");
    let upgrade = machine.kvs(["cluster", "upgrade", "--server", &url]).assert().success();
    let said = stdout(&upgrade);
    assert!(said.contains("Format 2") && said.contains("nothing to raise"), "{said}");
}
