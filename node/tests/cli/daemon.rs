//! Nodes in the background.

use rustix::process::Signal;

use crate::machine::{Machine, one_line, signal, stderr, stdout, text, wait_until};

#[test]
fn a_node_is_found_stopped_and_restarted_from_any_folder() {
    let machine = Machine::new();
    let config = machine.config("node1");
    let started = machine.kvs(["start", text(&config)]).current_dir("/").assert().success();
    let said = stdout(&started);
    assert!(
        said.contains("ready at http://127.0.0.1:") && said.contains("kvs stop node1"),
        "{said}"
    );

    let listed = stdout(&machine.kvs(["status"]).current_dir("/").assert().success());
    assert!(listed.contains("node1") && listed.contains("normal"), "{listed}");
    let first = machine.pid("node1");
    machine.kvs(["restart", "node1"]).current_dir("/").assert().success();
    assert_ne!(machine.pid("node1"), first);
    assert!(machine.path("data-node1").is_dir(), "data lies beside the configuration");

    machine.kvs(["stop", "node1.yaml"]).current_dir("/").assert().success();
    machine.kvs(["status", "node1"]).assert().code(3);
    let again = machine.kvs(["stop", "node1"]).assert().code(3);
    one_line(&again, ["node1 is not running"]);
    assert!(machine.log("node1").contains("stopped"));
}

#[test]
fn three_nodes_are_listed_by_name_with_pid_and_address() {
    let machine = Machine::new();
    let addresses = ["b", "a", "c"].map(|name| machine.start(name));
    let listed = stdout(&machine.kvs(["status", "--json"]).assert().success());
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|line| &line["name"]).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(listed[1]["address"], addresses[0]);
    assert!(listed[1]["pid"].is_u64() && listed[1]["uptime_seconds"].is_u64());
    assert_eq!(listed[1]["mode"], "normal");
}

#[test]
fn a_killed_process_is_reported_as_not_running_and_cleaned_up() {
    let machine = Machine::new();
    machine.start("node1");
    signal(machine.pid("node1"), Signal::KILL);
    wait_until("the killed node is not running", || machine.status("node1")["running"] == false);
    let listed = stdout(&machine.kvs(["status"]).assert().success());
    assert!(listed.contains("not running"), "{listed}");
    let stopped = machine.kvs(["stop", "node1"]).assert().code(3);
    one_line(&stopped, ["ended without being stopped", "kvs_node1.yaml.log"]);
    assert!(!machine.path("home/.kvs/pids/node1.pid").exists());
}

#[test]
fn a_node_starts_over_the_pid_file_of_a_killed_one() {
    let machine = Machine::new();
    machine.start("node1");
    let first = machine.pid("node1");
    signal(first, Signal::KILL);
    wait_until("the killed node is not running", || machine.status("node1")["running"] == false);
    machine.kvs(["start", "node1"]).assert().success();
    assert_ne!(machine.pid("node1"), first);
}

#[test]
fn starting_a_running_node_names_its_process() {
    let machine = Machine::new();
    let address = machine.start("node1");
    let again = machine.kvs(["start", "node1"]).assert().code(1);
    one_line(&again, ["running already", &machine.pid("node1").to_string(), &address]);
}

#[test]
fn two_configurations_of_one_name_are_refused_by_their_paths() {
    let machine = Machine::new();
    machine.start("node1");
    let (first, other) = (machine.path("node1.yaml"), machine.file("b/node1.yaml", "port: 0\n"));
    let paths = [text(&first), text(&other)];
    one_line(&machine.kvs(["start", paths[1]]).assert().code(1), paths);
    one_line(&machine.kvs(["stop", paths[1]]).assert().code(3), paths);
    assert_eq!(machine.status("node1")["running"], true);
}

#[test]
fn a_start_that_fails_says_why_with_the_exit_code_of_the_reason() {
    let machine = Machine::new();
    machine.file("bad.yaml", "prot: 8080\n");
    let refused = machine.kvs(["start", "bad"]).assert().code(64);
    one_line(&refused, ["bad did not start", "prot", "port"]);
    assert_eq!(stdout(&refused), "");

    let address = machine.start("node1");
    let port = address.rsplit(':').next().unwrap();
    machine.file("node2.yaml", &format!("port: {port}\ndata_dir: data2\n"));
    let refused = machine.kvs(["start", "node2"]).assert().code(1);
    one_line(&refused, ["node2 did not start", port]);
    assert!(machine.log("node2").contains("ERROR"));
    machine.kvs(["status", "node2"]).assert().code(3);
}

#[test]
fn an_absent_configuration_is_named_and_not_made() {
    let machine = Machine::new();
    let refused = machine.kvs(["start", "nosuch.yaml"]).assert().code(64);
    one_line(&refused, ["nosuch.yaml", "kvs config default"]);
    assert!(!machine.path("nosuch.yaml").exists());
    let refused = machine.kvs(["restart", "nosuch"]).assert().code(64);
    assert!(stderr(&refused).contains("nosuch"));
}

#[test]
fn a_new_log_level_is_taken_over_on_sighup_and_the_rest_is_told_of() {
    let machine = Machine::new();
    machine.start("node1");
    let config = machine.path("node1.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}log_level: debug\nrevisions: 5\n")).unwrap();
    signal(machine.pid("node1"), Signal::HUP);
    wait_until("the log tells of it", || {
        let log = machine.log("node1");
        log.contains("changed=\"log_level\"") && log.contains("revisions")
    });
    std::fs::write(&config, "log_level: loud\n").unwrap();
    wait_until("the file is seen to be wrong", || machine.log("node1").contains("loud"));
    assert_eq!(machine.status("node1")["running"], true);
}

#[test]
fn the_first_token_is_shown_on_a_terminal_and_never_where_it_may_be_kept() {
    let machine = Machine::new();
    let started = |name: &str, on_terminal: bool| {
        let asks = format!("port: 0\ndigest_leaves: 65536\ndata_dir: data-{name}\n");
        machine.file(&format!("{name}.yaml"), &asks);
        let said = if on_terminal {
            machine.on_terminal(["start", name])
        } else {
            stdout(&machine.kvs(["start", name]).assert().success())
        };
        let token = machine.path(&format!("data-{name}/root-token"));
        assert!(said.contains(token.to_str().unwrap()), "{said}");
        (std::fs::read_to_string(&token).unwrap().trim().to_owned(), said)
    };
    let (token, said) = started("shown", true);
    assert!(said.contains(&token), "{said}");
    let (token, said) = started("kept", false);
    assert!(!said.contains(&token), "{said}");
}
