//! Export and import.

use std::io::{BufRead as _, BufReader, Read as _};

use assert_cmd::Command;
use serde_json::Value;

use crate::machine::{Machine, stderr, stdout, text};

fn to(machine: &Machine, url: &str, lines: &str) -> Command {
    let mut command = machine.kvs(["import", "--json", "--server", url]);
    command.write_stdin(lines);
    command
}

fn counts(said: &str) -> [u64; 4] {
    let counts: Value = serde_json::from_str(said).unwrap();
    ["written", "unchanged", "expired", "failed"].map(|name| counts[name].as_u64().unwrap())
}

/// An export without what a new write changes.
fn content(exported: &str) -> Vec<Value> {
    let mut lines: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &mut lines {
        line.as_object_mut().unwrap().retain(|name, _| name != "uuid" && name != "timestamp");
    }
    lines
}

const LINES: &str = r#"
{"key":"a","data":null}
{"key":"a/b","data":{ "z": 1.0, "a": [1,2] }}
{"key":"bytes","content_type":"image/png","data_base64":"iVBORw0KGgo="}
{"key":"ümlaut/スペース x","data":"…"}
"#;

#[test]
fn what_goes_in_comes_out_on_another_node() {
    let machine = Machine::new();
    let (first, second) = (machine.start("node1"), machine.start("node2"));
    assert_eq!(counts(&stdout(&to(&machine, &first, LINES).assert().success())), [4, 0, 0, 0]);
    let file = machine.path("all.ndjson");
    let export = ["export", "--server", &first, "-o", text(&file)];
    let said = stdout(&machine.kvs(export).assert().success());
    assert!(said.contains("exported 4 keys"), "{said}");
    let exported = std::fs::read_to_string(&file).unwrap();
    assert!(exported.contains(r#"{ "z": 1.0, "a": [1,2] }"#), "byte for byte: {exported}");
    assert_eq!(content(&exported), content(LINES.trim()));

    let import = ["import", text(&file), "--server", &second];
    machine.kvs(import).assert().success();
    let again = machine.kvs(["export", "--server", &second]).assert().success();
    assert_eq!(content(&stdout(&again)), content(&exported));
}

#[test]
fn an_import_that_is_run_again_writes_only_what_is_missing() {
    let machine = Machine::new();
    let url = machine.start("node1");
    to(&machine, &url, r#"{"key":"a","data":null}"#).assert().success();
    assert_eq!(counts(&stdout(&to(&machine, &url, LINES).assert().success())), [3, 1, 0, 0]);
    assert_eq!(counts(&stdout(&to(&machine, &url, LINES).assert().success())), [0, 4, 0, 0]);
    let history = machine.kvs(["history", "a/b", "--json", "--server", &url]).assert().success();
    assert_eq!(stdout(&history).lines().count(), 1);
}

#[test]
fn of_two_lines_about_one_key_the_later_counts() {
    let machine = Machine::new();
    let url = machine.start("node1");
    to(&machine, &url, r#"{"key":"a","data":2}"#).assert().success();
    let lines = "{\"key\":\"a\",\"data\":1}\n{\"key\":\"a\",\"data\":2}\n";
    assert_eq!(counts(&stdout(&to(&machine, &url, lines).assert().success())), [2, 0, 0, 0]);
    let read = machine.kvs(["get", "a", "--server", &url]).assert().success();
    assert_eq!(stdout(&read), "2\n");
}

#[test]
fn a_wrong_line_is_named_with_its_key_and_the_others_go_on() {
    let machine = Machine::new();
    let url = machine.start("node1");
    let lines = r#"{"key":"good","data":1}
nonsense
{"key":"none"}
{"key":"bad//key","data":1}

{"key":"64","content_type":"text/plain","data_base64":"?"}
{"key":"good/too","data":1}"#;
    let imported = to(&machine, &url, lines).assert().code(1);
    assert_eq!(counts(&stdout(&imported)), [2, 0, 0, 4]);
    let said = stderr(&imported);
    for part in ["line 2", "line 3: key none", "line 4: key bad//key: 400", "line 6: key 64"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn a_node_that_takes_less_at_once_is_given_less() {
    let machine = Machine::new();
    for (name, limits) in [
        ("bytes", "limits:\n  value_size: 1KiB\n  batch_size: 1KiB\n"),
        ("items", "limits:\n  batch_items: 3\n"),
    ] {
        machine.file(
            &format!("{name}.yaml"),
            &format!("port: 0\nauth_enabled: false\ndata_dir: {name}\n{limits}"),
        );
        machine.kvs(["start", name]).assert().success();
        let url = machine.status(name)["address"].as_str().unwrap().to_owned();
        let line = |number| format!("{{\"key\":\"k/{number}\",\"data\":\"{:100}\"}}\n", "x");
        let large = format!("{{\"key\":\"large\",\"data\":\"{:1100}\"}}\n", "x");
        let lines = (0..40).map(line).chain([large]).collect::<String>();
        let large_fails = u64::from(name == "bytes");
        let imported = to(&machine, &url, &lines).output().unwrap();
        let imported = counts(std::str::from_utf8(&imported.stdout).unwrap());
        assert_eq!(imported, [41 - large_fails, 0, 0, large_fails], "{name}");
    }
}

#[test]
fn what_expires_does_so_after_an_import_too() {
    let machine = Machine::new();
    let (first, second) = (machine.start("node1"), machine.start("node2"));
    machine.kvs(["put", "a", "1", "--ttl", "1h", "--server", &first]).assert().success();
    machine.kvs(["put", "b", "1", "--server", &first]).assert().success();
    let exported = stdout(&machine.kvs(["export", "--server", &first]).assert().success());
    let [a, b] = &content(&exported)[..] else { panic!("{exported}") };
    let expires = a["expires"].as_u64().unwrap();
    assert!(b.get("expires").is_none());
    to(&machine, &second, &exported).assert().success();
    let again = stdout(&machine.kvs(["export", "--server", &second]).assert().success());
    assert!(content(&again)[0]["expires"].as_u64().unwrap().abs_diff(expires) < 60_000, "{again}");

    let past = r#"{"key":"c","data":1,"expires":1}"#;
    assert_eq!(counts(&stdout(&to(&machine, &second, past).assert().success())), [0, 0, 1, 0]);
}

#[test]
fn a_reader_that_has_seen_enough_ends_an_export_quietly() {
    let machine = Machine::new();
    let url = machine.start("node1");
    // More than a pipe holds.
    let value = "x".repeat(10_000);
    let line = |number| format!("{{\"key\":\"k/{number}\",\"data\":\"{value}\"}}\n");
    to(&machine, &url, &(0..100).map(line).collect::<String>()).assert().success();
    let mut export = machine.spawn(["export", "--server", &url]);
    let mut first = String::new();
    BufReader::new(export.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let mut said = String::new();
    export.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(export.wait().unwrap().success());
    assert_eq!(said, "");
}
