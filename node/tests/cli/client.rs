//! Client commands against a node.

use std::io::{BufRead as _, BufReader};

use assert_cmd::Command;

use crate::machine::{Machine, one_line, stdout};

/// A machine with one node, and commands that go there.
struct Site {
    machine: Machine,
    url: String,
}

impl Site {
    fn new() -> Self {
        let machine = Machine::new();
        let url = machine.start("node1");
        Self { machine, url }
    }

    fn kvs<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = self.machine.kvs(arguments);
        command.env("KVS_SERVER", &self.url);
        command
    }

    /// What a command prints that succeeds.
    fn says<const N: usize>(&self, arguments: [&str; N]) -> String {
        stdout(&self.kvs(arguments).assert().success())
    }
}

#[test]
fn values_come_from_the_argument_a_file_or_standard_input() {
    let site = Site::new();
    site.machine.file("plan.json", r#"{"from": "file"}"#);
    site.says(["put", "a/argument", r#"{ "b":1,"a":2 }"#]);
    site.says(["put", "a/file", "@plan.json"]);
    site.kvs(["put", "a/input", "-"]).write_stdin("-7").assert().success();
    site.says(["put", "a/negative", "-7"]);
    assert_eq!(site.says(["get", "a/argument"]), "{ \"b\":1,\"a\":2 }\n", "byte for byte");
    assert_eq!(site.says(["get", "a/file"]), "{\"from\": \"file\"}\n");
    assert_eq!(site.says(["get", "a/input"]), "-7\n");
    assert_eq!(site.says(["get", "a/negative"]), "-7\n");
}

#[test]
fn bytes_come_back_as_they_were() {
    let site = Site::new();
    let bytes: Vec<u8> = (0..=255).collect();
    let put = ["put", "photo", "-", "--content-type", "image/png"];
    site.kvs(put).write_stdin(bytes.clone()).assert().success();
    let read = site.kvs(["get", "photo"]).assert().success();
    assert_eq!(read.get_output().stdout, bytes);
}

#[test]
fn what_is_not_json_is_refused_with_the_way_to_write_it() {
    let site = Site::new();
    let refused = site.kvs(["put", "a", "red"]).assert().code(1);
    one_line(&refused, ["not JSON", "--content-type"]);
    one_line(&site.kvs(["put", "a", "@nosuch"]).assert().code(1), ["nosuch"]);
    one_line(&site.kvs(["put", "a//b", "1"]).assert().code(1), ["a//b"]);
    one_line(&site.kvs(["get", "a"]).assert().code(1), ["404", "never written"]);
}

#[test]
fn a_write_may_depend_on_what_is_there() {
    let site = Site::new();
    let uuid = site.says(["put", "a", "1", "--if-absent"]);
    let uuid = uuid.trim();
    one_line(&site.kvs(["put", "a", "2", "--if-absent"]).assert().code(1), ["412"]);
    let next = site.says(["put", "a", "2", "--if-match", uuid]);
    one_line(&site.kvs(["delete", "a", "--if-match", uuid]).assert().code(1), ["412"]);
    site.says(["delete", "a", "--if-match", next.trim()]);
    one_line(&site.kvs(["get", "a"]).assert().code(1), ["404", "deleted"]);
}

#[test]
fn children_and_trees_are_listed_for_people_and_programs() {
    let site = Site::new();
    for (key, value) in [("home/a", "1"), ("home/a/b", "[2]"), ("home/c", "3"), ("other", "4")] {
        site.says(["put", key, value]);
    }
    assert_eq!(site.says(["ls"]), "home/\nother\n");
    assert_eq!(site.says(["ls", "home"]), "a/\nc\n");
    let long = site.says(["ls", "home", "-l"]);
    assert!(long.starts_with("SIZE") && long.contains("application/json"), "{long}");
    assert_eq!(site.says(["tree", "home"]), "home\n  a  1\n    b  [2]\n  c  3\n");
    let lines = site.says(["tree", "home", "--depth", "1", "--json"]);
    let keys: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((keys.len(), &keys[1]["key"], &keys[1]["data"]), (2, &"home/c".into(), &3.into()));
}

#[test]
fn an_older_version_is_listed_read_and_restored() {
    let site = Site::new();
    let first = site.says(["put", "a", "1"]);
    site.says(["put", "a", "2"]);
    let history = site.says(["history", "a"]);
    assert!(history.contains("current") && history.contains("by a later one"), "{history}");
    assert_eq!(site.says(["get", "a", "--revision", first.trim()]), "1\n");
    site.says(["restore", "a", first.trim()]);
    assert_eq!(site.says(["get", "a"]), "1\n");
    assert_eq!(site.says(["history", "a", "--json"]).lines().count(), 3);
}

#[test]
fn modes_and_owners_are_set_on_a_key_and_below() {
    let site = Site::new();
    site.says(["put", "home/room/socks", "1"]);
    assert!(site.says(["chmod", "cdwr--wr----", "home/room"]).contains("cdwr--wr----"));
    let below = site.says(["chmod", "-R", "0xF31", "home"]);
    assert!(below.contains("cdwr--wr---r  -:-  home/room\n"), "its own mode too: {below}");
    assert!(below.contains("home/room/socks\n"), "{below}");
    let user = "0190b6f2-4c1e-4c7e-9d0a-0a8a3c1f2b11";
    assert!(site.says(["chown", user, "home"]).contains(user));
    assert!(site.says(["chown", "-:-", "home"]).contains("-:-"));
    site.kvs(["chmod", "rwx", "home"]).assert().code(2);
    site.kvs(["chown", ":", "home"]).assert().code(2);
}

#[test]
fn a_watch_shows_what_is_written_after_it_began() {
    let site = Site::new();
    let cursor = {
        site.says(["put", "home/before", "1"]);
        let all = curl(&format!("{}/kv/_changes", site.url));
        all["items"][0]["cursor"].as_str().unwrap().to_owned()
    };
    site.says(["put", "home/after", "1"]);
    let arguments = ["watch", "home", "--json", "--after", &cursor, "--server", &site.url];
    let mut watch = site.machine.spawn(arguments);
    let mut line = String::new();
    BufReader::new(watch.stdout.take().unwrap()).read_line(&mut line).unwrap();
    watch.kill().unwrap();
    watch.wait().unwrap();
    let change: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&change["op"], &change["key"]), (&"put".into(), &"home/after".into()));
}

fn curl(url: &str) -> serde_json::Value {
    let answer = Command::new("curl").args(["-s", "--noproxy", "*", url]).assert().success();
    serde_json::from_str(&stdout(&answer)).unwrap()
}

#[test]
fn a_node_that_is_not_there_is_named() {
    let machine = Machine::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    let refused = machine.kvs(["get", "a", "--server", &url]).assert().code(1);
    one_line(&refused, [&url, "Connection refused", "kvs status"]);
    let refused = machine.kvs(["get", "a", "--server", "localhost"]).assert().code(1);
    one_line(&refused, ["localhost"]);
}

#[test]
fn a_short_load_is_measured_and_leaves_nothing_behind() {
    let site = Site::new();
    let arguments = ["bench", "-c", "2", "-s", "1", "--keys", "10", "--json"];
    let report: serde_json::Value = serde_json::from_str(&site.says(arguments)).unwrap();
    assert!(report["reads"]["count"].as_u64().unwrap() > 0, "{report}");
    assert!(report["writes"]["p99"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(site.says(["ls"]), "");
    site.says(["put", "kvs-bench/mine", "1"]);
    one_line(&site.kvs(arguments).assert().code(1), ["kvs-bench", "--prefix"]);
}
