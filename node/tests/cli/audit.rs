//! `kvs audit`: the log of a running node, and of a directory without one.

use serde_json::Value;

use crate::machine::{Machine, one_line, stdout, wait_until};

fn start(machine: &Machine, name: &str) -> String {
    let text = format!(
        "port: 0\ndigest_leaves: 65536\ndata_dir: data-{name}\nauth_enabled: false\n\
         audit_segment: 256\n"
    );
    machine.file(&format!("{name}.yaml"), &text);
    machine.start_configured(name)
}

fn size(machine: &Machine, url: &str) -> u64 {
    let output = machine.kvs(["audit", "head", "--json", "--server", url]).output().unwrap();
    let head: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    head["size"].as_u64().unwrap_or(0)
}

#[test]
fn the_log_is_listed_signed_and_verified() {
    let machine = Machine::new();
    let url = start(&machine, "node1");
    machine.put(&url, "home/lamp", "1");
    machine.put(&url, "home/sock", "2");
    machine.kvs(["delete", "home/lamp", "--server", &url]).assert().success();
    // The node's own record as a member is an entry too.
    wait_until("all is signed", || size(&machine, &url) >= 5);
    let about = ["audit", "list", "--key", "home/lamp", "--json", "--server", &url];
    let listed = stdout(&machine.kvs(about).assert().success());
    let events: Vec<Value> =
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = events.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["write", "delete"]);
    let table = stdout(&machine.kvs(["audit", "list", "--server", &url]).assert().success());
    assert!(table.contains("started") && !table.contains("home/lamp"), "{table}");
    let head = stdout(&machine.kvs(["audit", "head", "--server", &url]).assert().success());
    assert!(head.contains("root ") && head.contains("key "), "{head}");
    let json =
        stdout(&machine.kvs(["audit", "head", "--json", "--server", &url]).assert().success());
    machine.file("head.json", &json);

    // A running node's directory can be looked at as well.
    machine.kvs(["audit", "verify", "data-node1"]).assert().success();
    machine.kvs(["stop", "node1"]).assert().success();
    let verify = ["audit", "verify", "data-node1", "--heads", "head.json"];
    let said = stdout(&machine.kvs(verify).assert().success());
    assert!(said.contains("is as it was written"), "{said}");
    let said = stdout(&machine.kvs(["audit", "verify", "data-node1", "--json"]).assert().success());
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["size"], report["signed"]);

    let refused = machine.kvs(["audit", "verify", "nowhere"]).assert().code(1);
    one_line(&refused, ["nowhere has no audit log"]);
    let config = machine.config("node2");
    let text = std::fs::read_to_string(&config).unwrap() + "tamper_logging_enabled: false\n";
    machine.file("node2.yaml", &text);
    machine.start_configured("node2");
    machine.kvs(["stop", "node2"]).assert().success();
    let refused = machine.kvs(["audit", "verify", "data-node2"]).assert().code(1);
    one_line(&refused, ["no audit log"]);
    let other = ["audit", "verify", "data-node1", "--heads", "data-node2"];
    one_line(&machine.kvs(other).assert().code(1), ["no head of node"]);
    // What is named and says nothing is not passed over for another that does.
    let both = ["audit", "verify", "data-node1", "--heads", "head.json", "--heads", "data-node2"];
    let refused = machine.kvs(both).assert().code(1);
    one_line(&refused, ["no head of node", "is in data-node2"]);
}

#[test]
fn a_backup_has_the_log_and_a_restore_puts_it_aside() {
    let machine = Machine::new();
    let url = start(&machine, "node1");
    machine.put(&url, "a", "1");
    wait_until("all is signed", || size(&machine, &url) >= 3);
    let made = machine.kvs(["backup", "create", "--json", "--server", &url]).assert().success();
    let made: Value = serde_json::from_str(&stdout(&made)).unwrap();
    let head =
        stdout(&machine.kvs(["audit", "head", "--json", "--server", &url]).assert().success());
    machine.file("head.json", &head);
    machine.kvs(["stop", "node1"]).assert().success();
    let file = format!("data-node1/backups/{}.tar.zst", made["name"].as_str().unwrap());
    let restore = ["backup", "restore", &file, "--data-dir", "data-node2"];
    machine.kvs(restore).assert().success();
    let folder = std::fs::read_dir(machine.path("data-node2/audit")).unwrap().next().unwrap();
    let archive =
        std::fs::read_dir(folder.unwrap().path()).unwrap().next().unwrap().unwrap().path();
    let said =
        stdout(&machine.kvs(["audit", "verify", archive.to_str().unwrap()]).assert().success());
    assert!(said.contains("is as it was written"), "{said}");
    let archive = archive.to_str().unwrap();
    machine.kvs(["audit", "verify", archive, "--heads", "head.json"]).assert().success();
    let url = start(&machine, "node2");
    wait_until("it begins its own log", || size(&machine, &url) >= 1);
    machine.kvs(["stop", "node2"]).assert().success();
    machine.kvs(["audit", "verify", "data-node2"]).assert().success();
    let other = ["audit", "verify", archive, "--heads", "data-node2"];
    one_line(&machine.kvs(other).assert().code(1), ["no head of node", "is in data-node2"]);
}
