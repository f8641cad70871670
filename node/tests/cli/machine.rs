//! A machine to run the program on: a home in a folder that goes with the test.

use std::fs::File;
use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use kvs_node::time::monotonic;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// A home, and the nodes that were started there; they end with it.
pub(crate) struct Machine {
    dir: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and says where.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A configuration of this name, with a free port and a small digest tree.
    pub(crate) fn config(&self, name: &str) -> PathBuf {
        let text =
            format!("port: 0\ndigest_leaves: 65536\ndata_dir: data-{name}\nauth_enabled: false\n");
        self.file(&format!("{name}.yaml"), &text)
    }

    /// A configuration of this name on ports of its own, with these seeds; answers where it will be.
    pub(crate) fn config_with_seeds(&self, name: &str, seeds: &[&str]) -> String {
        let port = free_port();
        let seeds = serde_json::to_string(seeds).unwrap();
        let text = format!(
            "node_id: {name}\nport: {port}\ndigest_leaves: 65536\ndata_dir: data-{name}\n\
             seed_nodes: {seeds}\nsync_interval: 1s\nauth_enabled: false\n"
        );
        self.file(&format!("{name}.yaml"), &text);
        format!("127.0.0.1:{port}")
    }

    /// Starts the node of a configuration that is there, and answers where it is.
    pub(crate) fn start_configured(&self, name: &str) -> String {
        self.kvs(["start", name]).assert().success();
        self.status(name)["address"].as_str().unwrap().to_owned()
    }

    /// Nodes of these names as one cluster, each with the ones before it as seeds.
    pub(crate) fn cluster<const N: usize>(&self, names: [&str; N]) -> [String; N] {
        let mut addresses = Vec::new();
        for name in names {
            let seeds: Vec<&str> = addresses.iter().map(String::as_str).collect();
            addresses.push(self.config_with_seeds(name, &seeds));
        }
        let urls = names.map(|name| self.start_configured(name));
        for url in &urls {
            self.wait_for_members(url, N);
        }
        urls
    }

    /// Waits until a node serves in a cluster of so many, all of whom it can reach.
    pub(crate) fn wait_for_members(&self, url: &str, count: usize) {
        wait_until(&format!("{url} is one of {count}"), || {
            let status = self.cluster_status(url);
            let open = |peer: &&Value| peer["standing"] == "joined" && peer["stream"] == "open";
            let peers = status["peers"].as_array();
            let met = peers.map_or(0, |peers| peers.iter().filter(open).count());
            status["life"] == "serving" && met + 1 == count
        });
    }

    /// The cluster as a node sees it; nothing if it does not answer.
    pub(crate) fn cluster_status(&self, url: &str) -> Value {
        let output = self.kvs(["cluster", "status", "--json", "--server", url]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    pub(crate) fn put(&self, url: &str, key: &str, json: &str) {
        self.kvs(["put", key, json, "--server", url]).assert().success();
    }

    /// What a node has at a key; empty while it has nothing.
    pub(crate) fn get(&self, url: &str, key: &str) -> String {
        let output = self.kvs(["get", key, "--server", url]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Waits until a node has this at a key.
    pub(crate) fn wait_for(&self, url: &str, key: &str, json: &str) {
        wait_until(&format!("{url} has {json} at {key}"), || self.get(url, key) == json);
    }

    /// The program, in the test's own folder.
    pub(crate) fn kvs<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::from_std(self.std(arguments));
        command.timeout(PATIENCE);
        command
    }

    /// The same, to be run beside the test.
    pub(crate) fn spawn<const N: usize>(&self, arguments: [&str; N]) -> Child {
        self.spawn_into(arguments, Stdio::piped())
    }

    /// The same, with its output going elsewhere.
    pub(crate) fn spawn_into<const N: usize>(&self, arguments: [&str; N], out: Stdio) -> Child {
        self.std(arguments).stdout(out).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What a command says that is run on a terminal, and does what is asked of it.
    pub(crate) fn on_terminal<const N: usize>(&self, arguments: [&str; N]) -> String {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).and_then(|()| unlockpt(&ours)).unwrap();
        let theirs = ptsname(&ours, Vec::new()).unwrap();
        let theirs = File::options().read(true).write(true).open(theirs.to_str().unwrap()).unwrap();
        let mut child = self.spawn_into(arguments, theirs.into());
        assert!(child.wait().unwrap().success(), "{arguments:?}");
        // Once nobody has the other end any more, what was said is followed by an error.
        let (mut said, mut ours) = (Vec::new(), File::from(ours));
        let _ended = ours.read_to_end(&mut said);
        String::from_utf8(said).unwrap()
    }

    fn std<const N: usize>(&self, arguments: [&str; N]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kvs"));
        let kept = |(name, _): &(std::ffi::OsString, _)| !name.to_string_lossy().starts_with("KVS");
        command.env_clear().envs(std::env::vars_os().filter(kept)).env("HOME", self.path("home"));
        command.current_dir(self.dir.path()).args(arguments);
        command
    }

    /// Starts a node in the background and answers where it is.
    pub(crate) fn start(&self, name: &str) -> String {
        self.config(name);
        self.kvs(["start", name]).assert().success();
        self.status(name)["address"].as_str().unwrap().to_owned()
    }

    pub(crate) fn status(&self, name: &str) -> Value {
        let output = self.kvs(["status", name, "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn pid(&self, name: &str) -> i32 {
        self.status(name)["pid"].as_i64().unwrap().try_into().unwrap()
    }

    pub(crate) fn log(&self, name: &str) -> String {
        let path = format!("home/.kvs/logs/kvs_{name}.yaml.log");
        std::fs::read_to_string(self.path(&path)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.path("home/.kvs/pids")).into_iter().flatten().flatten();
        let name = |file: std::fs::DirEntry| {
            file.file_name().to_str()?.strip_suffix(".pid").map(str::to_owned)
        };
        files.filter_map(name).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for name in self.names() {
            // What is not running any more need not be stopped.
            let _ = self.kvs(["stop", &name]).output();
        }
    }
}

/// A port that is free, as is the one for peers that belongs to it.
fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let Some(peers) = port.checked_add(1_000) else { continue };
        let tcp = TcpListener::bind(("127.0.0.1", peers));
        if tcp.is_ok() && UdpSocket::bind(("127.0.0.1", peers)).is_ok() {
            return port;
        }
    }
}

/// Sends a signal to a process that the test started.
pub(crate) fn signal(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = monotonic() + PATIENCE;
    while !is_so() {
        assert!(monotonic() < deadline, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

pub(crate) fn stdout(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

pub(crate) fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

/// Asserts that a command gave its reason in one line that has all these words.
pub(crate) fn one_line<const N: usize>(assert: &Assert, words: [&str; N]) {
    let said = stderr(assert);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("kvs: "), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} in {said}");
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
