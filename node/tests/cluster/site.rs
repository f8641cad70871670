//! Homes for nodes: each with a folder, a configuration, and an address that no other test has.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Process;

/// The port for clients, at every address.
pub(crate) const PORT: u16 = 8080;
/// The port for peers, which follows from it.
pub(crate) const PEER_PORT: u16 = 9080;

/// Small and quick, so that a test need not wait for what takes seconds by default.
const SETTINGS: &str = "\
data_dir: data
block_cache: 8MiB
write_buffer: 4MiB
digest_leaves: 65536
disk_reserve: 16MiB
gossip_interval: 100ms
sync_interval: 1s
catchup_interval: 100ms
";

/// A folder and a range of addresses.
#[derive(Debug)]
pub(crate) struct Site {
    folder: tempfile::TempDir,
    /// All but the last number of its addresses.
    network: [u8; 3],
}

/// A place for one node.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    address: SocketAddr,
    /// The network namespace it lives in, if it has one of its own.
    namespace: Option<String>,
    settings: String,
    /// Further arguments of the command.
    arguments: Vec<String>,
}

impl Site {
    /// On loopback addresses.
    pub(crate) fn new() -> Self {
        let [second, third]: [u8; 2] = rand::random();
        // 127.0.0 is where everything else is.
        Self::of([127, second.max(1), third])
    }

    /// With other addresses.
    pub(crate) fn of(network: [u8; 3]) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), network }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn ip(&self, number: u8) -> IpAddr {
        let [first, second, third] = self.network;
        Ipv4Addr::new(first, second, third, number).into()
    }

    /// Makes a cluster file of this name.
    pub(crate) fn cluster_file(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let status = kvs().args(["cluster", "new", "--out"]).arg(&path).output().unwrap().status;
        assert!(status.success());
        path
    }

    /// A home for a node that is told of nobody.
    pub(crate) fn alone(&self, number: u8, settings: &str) -> Home {
        let home = Home {
            folder: self.path(&format!("node{number}")),
            address: SocketAddr::new(self.ip(number), PORT),
            namespace: None,
            settings: format!("node_id: node{number}\n{SETTINGS}{settings}"),
            arguments: Vec::new(),
        };
        fs::create_dir_all(home.data()).unwrap();
        home
    }

    /// A home for one of `count` nodes that share the cluster file `cluster.kvs` and are told of
    /// all of them, themselves included.
    pub(crate) fn member(&self, number: u8, count: u8, settings: &str) -> Home {
        let seeds: Vec<String> =
            (1..=count).map(|seed| format!("\"{}:{PORT}\"", self.ip(seed))).collect();
        let seeds = seeds.join(", ");
        let lines = format!("cluster_file: ../cluster.kvs\nseed_nodes: [{seeds}]\n{settings}");
        self.alone(number, &lines)
    }

    /// Homes for a whole cluster, with a cluster file.
    pub(crate) fn cluster<const N: usize>(&self, settings: &str) -> [Home; N] {
        self.cluster_file("cluster.kvs");
        self.homes(settings)
    }

    /// The same, of a cluster that is there.
    pub(crate) fn homes<const N: usize>(&self, settings: &str) -> [Home; N] {
        let count = u8::try_from(N).unwrap();
        std::array::from_fn(|at| self.member(u8::try_from(at + 1).unwrap(), count, settings))
    }
}

impl Home {
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file that belongs to this home and not to its data.
    pub(crate) fn beside_data(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The same at another address.
    pub(crate) fn moved(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same in a network namespace.
    pub(crate) fn inside(&self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self.clone() }
    }

    /// The same with these settings (lines of YAML) beside its own, or instead of them.
    pub(crate) fn with(&self, settings: &str) -> Self {
        Self { settings: format!("{}{settings}", self.settings), ..self.clone() }
    }

    /// The same with this argument.
    pub(crate) fn told(mut self, argument: String) -> Self {
        self.arguments.push(argument);
        self
    }

    /// A home beside it, with a copy of its data as it is now, at another address.
    pub(crate) fn copied(&self, name: &str, address: SocketAddr) -> Self {
        let copy = Self { folder: self.folder.with_file_name(name), address, ..self.clone() };
        copy_folder(&self.data(), &copy.data());
        copy
    }

    /// Starts a node here, and waits for nothing.
    pub(crate) fn start(&self) -> Process {
        Process::spawn(self.command(), self.address)
    }

    /// Writes its configuration, as the next start would.
    pub(crate) fn write_config(&self) -> PathBuf {
        let config = self.folder.join("config.yaml");
        let address =
            format!("bind_address: {}\nport: {}\n", self.address.ip(), self.address.port());
        fs::write(&config, last_of_each(&format!("{}{address}", self.settings))).unwrap();
        config
    }

    fn command(&self) -> Command {
        let config = self.write_config();
        let mut command = match &self.namespace {
            None => kvs(),
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(env!("CARGO_BIN_EXE_kvs"));
                command
            }
        };
        command.arg("run").arg(config).args(&self.arguments);
        command.env("HOME", &self.folder).current_dir(&self.folder);
        command
    }
}

/// The lines of which none later sets the same.
fn last_of_each(settings: &str) -> String {
    let name = |line: &str| line.split(':').next().map(str::to_owned);
    let lines: Vec<&str> = settings.lines().collect();
    let is_last = |at: &usize| lines[at + 1..].iter().all(|later| name(later) != name(lines[*at]));
    let last: Vec<&str> = (0..lines.len()).filter(is_last).map(|at| lines[at]).collect();
    last.join("\n")
}

/// The program.
pub(crate) fn kvs() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kvs"))
}

/// Copies a folder and all that lies in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
