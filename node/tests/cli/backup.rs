//! `kvs backup`: made by a running node, checked and restored without one.

use std::fmt::Write as _;

use serde_json::Value;

use crate::machine::{Machine, one_line, stdout, wait_until};

fn import(machine: &Machine, url: &str, keys: usize, size: usize) {
    let mut lines = String::new();
    for at in 0..keys {
        // Not so alike that they would be nothing once compressed.
        let noise = noise_of(at, size);
        writeln!(lines, r#"{{"key":"k/{at}","data":"{noise}"}}"#).unwrap();
    }
    machine.kvs(["import", "--server", url]).write_stdin(lines).assert().success();
}

/// Text that does not compress well.
fn noise_of(seed: usize, size: usize) -> String {
    let mut state = seed as u64 + 1;
    let mut text = String::with_capacity(size + 16);
    while text.len() < size {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(text, "{:016x}", state ^ state >> 29).unwrap();
    }
    text
}

fn export(machine: &Machine, url: &str) -> String {
    stdout(&machine.kvs(["export", "--server", url]).assert().success())
}

/// Makes a backup; the file.
fn create(machine: &Machine, url: &str, data: &str) -> String {
    let made = machine.kvs(["backup", "create", "--json", "--server", url]).assert().success();
    let made: Value = serde_json::from_str(&stdout(&made)).unwrap();
    format!("{data}/backups/{}.tar.zst", made["name"].as_str().unwrap())
}

#[test]
fn a_backup_is_made_listed_verified_and_restored_into_one_node() {
    let machine = Machine::new();
    let url = machine.start("node1");
    import(&machine, &url, 100, 50);
    let file = create(&machine, &url, "data-node1");
    let listed = stdout(&machine.kvs(["backup", "list", "--server", &url]).assert().success());
    assert!(listed.contains("ok") && listed.lines().count() == 2, "{listed}");
    let status = stdout(&machine.kvs(["backup", "status", "--server", &url]).assert().success());
    assert!(status.contains("on demand only"), "{status}");
    let before = export(&machine, &url);
    machine.kvs(["stop", "node1"]).assert().success();

    let said = stdout(&machine.kvs(["backup", "verify", &file]).assert().success());
    // The node's own record as a member is one.
    assert!(said.contains("is whole: 101 records"), "{said}");
    let restore = ["backup", "restore", &file, "--data-dir", "data-node2"];
    let said = stdout(&machine.kvs(restore).assert().success());
    assert!(said.contains("the first of new cluster"), "{said}");
    let again = stdout(&machine.kvs(restore).assert().success());
    assert!(
        again.contains("has 101 records"),
        "the same order, done again while no node ran there: {again}"
    );

    let url = machine.start("node2");
    assert_eq!(export(&machine, &url), before);
    machine.kvs(["put", "more", "1", "--server", &url]).assert().success();
    machine.kvs(["stop", "node2"]).assert().success();
    let refused = machine.kvs(restore).assert().code(1);
    one_line(&refused, ["data-node2 has", "only into an empty directory"]);
}

#[test]
fn a_killed_restore_leaves_nothing_that_a_node_would_take_for_data() {
    let machine = Machine::new();
    let url = machine.start("node1");
    import(&machine, &url, 2_000, 4_000);
    let file = create(&machine, &url, "data-node1");
    machine.kvs(["stop", "node1"]).assert().success();

    machine.config("node2");
    let restore = ["backup", "restore", &file, "--data-dir", "data-node2"];
    let (half, whole) = (machine.path("data-node2/restoring"), machine.path("data-node2/store"));
    let mut child = machine.spawn(restore);
    wait_until("it has begun", || half.join("store").exists() || whole.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    if half.exists() {
        let refused = machine.kvs(["start", "node2"]).assert().failure();
        let said = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(said.contains("broken off"), "{said}");
        machine.kvs(restore).assert().success();
    }
    let url = machine.start("node2");
    assert_eq!(export(&machine, &url).lines().count(), 2_000);
}

#[test]
fn what_is_no_whole_backup_is_refused_in_one_line() {
    let machine = Machine::new();
    let url = machine.start("node1");
    import(&machine, &url, 3, 10);
    let file = create(&machine, &url, "data-node1");
    let path = machine.path(&file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 9);
    std::fs::write(&path, bytes).unwrap();
    for action in [&["verify", &file][..], &["restore", &file, "--data-dir", "d"]] {
        let refused = machine.kvs(["backup"]).args(action).assert().code(1);
        one_line(&refused, ["is damaged"]);
    }
    let none = machine.kvs(["backup", "verify", "notes.txt"]).assert().code(1);
    one_line(&none, ["notes.txt is no backup", "NAME.tar.zst"]);
    let absent = "x/kvs-0123456789ab-20231114T221320000Z.tar.zst";
    let refused = machine.kvs(["backup", "verify", absent]).assert().code(1);
    one_line(&refused, ["there is no kvs-0123456789ab-20231114T221320000Z.manifest.json"]);
    let s3 = "s3://bucket/kvs-0123456789ab-20231114T221320000Z.tar.zst";
    let mut verify = machine.kvs(["backup", "verify", s3]);
    let refused = verify.env_remove("AWS_ACCESS_KEY_ID").assert().code(1);
    one_line(&refused, ["there is no key for s3://bucket", "AWS_ACCESS_KEY_ID"]);
    let delete = machine.kvs(["backup", "delete", "x", "--server", &url]).assert().code(1);
    one_line(&delete, ["there is no backup"]);
}
