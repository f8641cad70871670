//! The original's walk-through: two configurations on one machine, PUT on one, GET on the other.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use kvs_client::Client;
use rustix::process::{Pid, Signal, kill_process};

use crate::look::json;
use crate::site::{Site, kvs};
use crate::wait;

/// What a person takes at least from one command to the next.
const A_MOMENT: Duration = Duration::from_secs(1);

/// A home on an address of its own, so that `127.0.0.1` stays for whoever uses this machine.
struct Machine {
    site: Site,
}

impl Machine {
    fn new() -> Self {
        Self { site: Site::new() }
    }

    /// The two configurations of the walk-through.
    fn configure(&self) {
        let ip = self.site.ip(1);
        let common = format!(
            "bind_address: {ip}\nallow_anonymous_read: true\nallow_anonymous_write: true\n\
             auth_enabled: false\ndigest_leaves: 65536\n"
        );
        let first = format!("{common}port: 8081\ndata_dir: data1\n");
        let second = format!("{common}port: 8082\ndata_dir: data2\nseed_nodes: [\"{ip}:8081\"]\n");
        fs::write(self.site.path("node1.yaml"), first).unwrap();
        fs::write(self.site.path("node2.yaml"), second).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = kvs();
        let named = |(name, _): &(std::ffi::OsString, _)| name.to_string_lossy().starts_with("KVS");
        for (name, _) in std::env::vars_os().filter(named) {
            command.env_remove(name);
        }
        command.args(arguments).env("HOME", self.home()).current_dir(self.site.path("."));
        command
    }

    /// Runs a command that must do well; answers what it printed.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn home(&self) -> PathBuf {
        self.site.path("home")
    }

    fn log(&self, name: &str) -> String {
        let path = format!("home/.kvs/logs/kvs_{name}.yaml.log");
        fs::read_to_string(self.site.path(&path)).unwrap()
    }

    fn pid(&self, name: &str) -> Pid {
        let status = self.done(&["status", name, "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        Pid::from_raw(status["pid"].as_i64().unwrap().try_into().unwrap()).unwrap()
    }

    fn client(&self, port: u16) -> Client {
        Client::new(&format!("http://{}:{port}", self.site.ip(1)), None).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for name in ["node1", "node2"] {
            self.run(&["stop", name]);
            if std::thread::panicking() {
                println!("=== {name} said:\n{}", self.log(name));
            }
        }
    }
}

/// Reads as a person would: as soon as the write was acknowledged.
async fn seen(client: &Client, key: &str, text: &str) -> Duration {
    let same = async || {
        let stored = client.get(key).await.ok()?;
        (stored.value.as_bytes() == text.as_bytes()).then_some(())
    };
    wait::until_within(A_MOMENT, &format!("{key} is there"), same).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn two_configurations_on_one_machine_are_one_store() {
    let machine = Machine::new();
    machine.configure();
    machine.done(&["start", "node1.yaml"]);
    let began = kvs_node::time::monotonic();
    assert!(machine.done(&["start", "node2.yaml"]).contains(":8082"));
    println!("the second node was ready after {:?}", began.elapsed());
    let listed = machine.done(&["status"]);
    assert!(listed.contains("node1") && listed.contains("node2"), "{listed}");

    let (first, second) = (machine.client(8081), machine.client(8082));
    first.put("test/data", json(r#"{"test":"data"}"#)).await.unwrap();
    let took = seen(&second, "test/data", r#"{"test":"data"}"#).await;
    println!("a write on the first was read from the second after {took:?}");
    second.put("back", json("1")).await.unwrap();
    seen(&first, "back", "1").await;
    first.delete("test/data").await.unwrap();
    let gone = async || second.get("test/data").await.err()?.absence();
    wait::until_within(A_MOMENT, "the delete is seen", gone).await;

    let log = machine.log("node1");
    assert!(log.contains("the cluster file was handed to a new node"), "{log}");
    machine.done(&["stop", "node1"]);
    machine.done(&["stop", "node2.yaml"]);
    assert!(machine.log("node1").contains("stopped") && machine.log("node2").contains("stopped"));
    for name in ["node1", "node2"] {
        assert_eq!(machine.run(&["status", name]).status.code(), Some(3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_that_starts_first_waits_for_its_seed() {
    let machine = Machine::new();
    machine.configure();
    // `kvs start` says after a while that the node is up and waits.
    let mut waiting = machine.command(&["start", "node2"]).spawn().unwrap();
    machine.done(&["start", "node1"]);
    assert!(waiting.wait().unwrap().success());
    machine.client(8081).put("a", json("1")).await.unwrap();
    seen(&machine.client(8082), "a", "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_starts_over_its_stale_pid_file_and_is_back_in_its_cluster() {
    let machine = Machine::new();
    machine.configure();
    machine.done(&["start", "node1"]);
    machine.done(&["start", "node2"]);
    kill_process(machine.pid("node2"), Signal::KILL).unwrap();
    machine.client(8081).put("meanwhile", json("1")).await.unwrap();
    let gone = async || (machine.run(&["status", "node2"]).status.code() != Some(0)).then_some(());
    wait::until("the killed node is not running", gone).await;
    machine.done(&["start", "node2"]);
    seen(&machine.client(8082), "meanwhile", "1").await;
}
