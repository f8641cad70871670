//! A node in the foreground.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::Signal;

use crate::machine::{Machine, one_line, signal, stdout};

/// A node in the foreground, and what it prints.
struct Foreground {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Foreground {
    fn new(mut child: Child) -> Self {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads lines up to one with `word` in it, and answers that.
    fn line_with(&mut self, word: &str) -> String {
        self.lines.by_ref().map_while(Result::ok).find(|line| line.contains(word)).unwrap()
    }

    fn stop(&mut self, by: Signal) -> i32 {
        signal(self.child.id().try_into().unwrap(), by);
        self.lines.by_ref().for_each(drop);
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        // It has ended by itself, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn url(line: &str) -> String {
    line.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn a_ready_node_names_its_real_port_and_both_signals_end_it_well() {
    let machine = Machine::new();
    machine.config("node1");
    for by in [Signal::INT, Signal::TERM] {
        let mut node = Foreground::new(machine.spawn(["node1.yaml"]));
        let url = url(&node.line_with("is ready at"));
        assert!(!url.ends_with(":0"), "{url}");
        let peers = node.line_with("Other nodes reach it at 127.0.0.1:");
        assert!(!peers.contains(":0;") && peers.contains("cluster "), "{peers}");
        machine.kvs(["put", "a/b", "1", "--server", &url]).assert().success();
        assert_eq!(node.stop(by), 0);
    }
}

#[test]
fn the_curl_lines_that_a_node_prints_work() {
    let machine = Machine::new();
    machine.config("node1");
    let mut node = Foreground::new(machine.spawn(["run", "node1"]));
    for wanted in ["uuid", r#""data":["red","blue"]"#, r#""items""#] {
        let line = node.line_with("  curl ");
        let answer = assert_cmd::Command::new("sh").args(["-c", &line]).assert().success();
        assert!(stdout(&answer).contains(wanted), "{line}: {}", stdout(&answer));
    }
    let line = node.line_with("uthentication");
    assert!(line.contains("auth_enabled: false"), "{line}");
    assert_eq!(node.stop(Signal::TERM), 0);
}

#[test]
fn the_curl_lines_of_a_node_that_asks_who_calls_carry_the_first_token_and_the_output_does_not() {
    let machine = Machine::new();
    machine.file("node1.yaml", "port: 0\ndigest_leaves: 65536\ndata_dir: data-node1\n");
    let mut node = Foreground::new(machine.spawn(["run", "node1"]));
    let token = || std::fs::read_to_string(machine.path("data-node1/root-token")).unwrap();
    for wanted in ["uuid", r#""data":["red","blue"]"#, r#""items""#] {
        let line = node.line_with("  curl ");
        assert!(!line.contains(token().trim()), "a pipe may be a log: {line}");
        let answer = assert_cmd::Command::new("sh").args(["-c", &line]).assert().success();
        assert!(stdout(&answer).contains(wanted), "{line}: {}", stdout(&answer));
    }
    let kept = node.line_with("root-token");
    assert!(kept.contains(machine.path("data-node1").to_str().unwrap()), "{kept}");
    assert_eq!(node.stop(Signal::TERM), 0);
}

#[test]
fn without_a_configuration_one_is_written_and_named() {
    let machine = Machine::new();
    let mut node = Foreground::new(machine.spawn(["run", "--port", "0"]));
    assert!(node.line_with("config.yaml").contains("wrote it"));
    node.line_with("is ready at");
    assert_eq!(node.stop(Signal::INT), 0);
    assert!(machine.path("data").is_dir());
    machine.kvs(["config", "check", "config.yaml"]).assert().success();
}

#[test]
fn a_log_for_programs_is_json_lines() {
    let machine = Machine::new();
    machine.config("node1");
    let mut node = Foreground::new(machine.spawn(["run", "node1", "--log-format", "json"]));
    let line: serde_json::Value = serde_json::from_str(&node.line_with("\"ready\"")).unwrap();
    assert_eq!(line["level"], "INFO");
    assert_eq!(node.stop(Signal::TERM), 0);
}

#[test]
fn a_running_node_keeps_what_it_was_given_through_a_restart() {
    let machine = Machine::new();
    let url = machine.start("node1");
    machine.kvs(["put", "a/b", "[1, 2]", "--server", &url]).assert().success();
    machine.kvs(["restart", "node1"]).assert().success();
    let url = machine.status("node1")["address"].as_str().unwrap().to_owned();
    let read = machine.kvs(["get", "a/b"]).env("KVS_SERVER", url).assert().success();
    assert_eq!(stdout(&read), "[1, 2]\n");
}

#[test]
fn a_node_that_cannot_say_where_it_answers_stops_well_and_fails() {
    let machine = Machine::new();
    machine.config("node1");
    let (unread, closed) = std::io::pipe().unwrap();
    drop(unread);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for (stdout, why) in [(closed.into(), "Broken pipe"), (Stdio::from(full), "No space left")] {
        let run = machine.spawn_into(["run", "node1"], stdout);
        let ended = run.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains("cannot print where the node answers") && said.contains(why),
            "{said}"
        );
        // Only a node that stopped well leaves one, and the next start takes it away.
        assert!(machine.path("data-node1/digest.tree").exists());
    }
}

#[test]
fn a_node_that_is_held_down_opens_nothing_until_it_is_taken_out() {
    let machine = Machine::new();
    machine.config("node1");
    let live = machine.file("live.yaml", "fenced: [other, db-1]\n");
    let run = ["run", "node1", "--live", "live.yaml", "--node-id", "db-1"];
    let mut node = Foreground::new(machine.spawn(run));
    node.line_with("held down: `fenced` names this node");
    assert!(!machine.path("data-node1").exists(), "it opened its store");
    // What is wrong is said, and frees nobody.
    std::fs::write(&live, "fenced: []\nrevisions: 5\n").unwrap();
    node.line_with("live.yaml:2: revisions: this needs a restart");
    // Nor does it if the file that names it is gone, which nobody may have meant.
    std::fs::remove_file(&live).unwrap();
    assert!(node.line_with("configuration file is gone").contains("live.yaml"));
    let (config, text) = (machine.path("node1.yaml"), "# Not a word about that.\n");
    let own = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, own + text).unwrap();
    node.line_with("configuration file is gone");
    std::fs::write(&live, "fenced: [other]\n").unwrap();
    node.line_with("held down no longer");
    node.line_with("is ready at");
    // One that runs is told, and goes on.
    std::fs::write(&live, "fenced: [db-1]\nlog_level: debug\n").unwrap();
    assert!(node.line_with("was read again").contains("changed=\"log_level\""));
    node.line_with("in force only after a restart");
    assert_eq!(node.stop(Signal::TERM), 0);
}

#[test]
fn a_node_that_is_held_down_heeds_signals_and_does_not_start_in_the_background() {
    let machine = Machine::new();
    machine.config("node1");
    let run = ["run", "node1", "--fenced", "db-1", "--node-id", "db-1"];
    let mut node = Foreground::new(machine.spawn(run));
    node.line_with("held down");
    assert_eq!(node.stop(Signal::TERM), 0);
    let mine = "port: 0\nnode_id: db-1\nfenced: [db-1]\n";
    machine.file("held.yaml", mine);
    let refused = machine.kvs(["start", "held"]).assert().failure();
    one_line(&refused, ["held down", "`fenced`"]);
}
