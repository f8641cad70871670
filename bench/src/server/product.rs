//! The products, their programs and how each is told to make every write durable.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::ServerError;
use crate::{machine::first_line, target::Protocol};

/// The file with the answer of the bare handler, in its folder.
pub(super) const ANSWER: &str = "answer.json";

/// A server that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Ours, open to everybody on this machine.
    Kvs,
    /// Ours as its defaults have it: callers show tokens, keys have modes, and all is written down.
    KvsGuarded,
    /// The bare axum handler, which is this very program.
    Bare,
    /// etcd, one member.
    Etcd,
    /// Redis with its append-only file.
    Redis,
    /// NATS with `JetStream`.
    Nats,
}

/// Where a server listens: etcd wants a second port for peers that it does not have here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) clients: u16,
    pub(super) peers: u16,
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The program `kvs`.
    pub kvs: PathBuf,
    /// The folder that `peers/install.sh` fills.
    pub peers: PathBuf,
    /// This program, which is the bare handler too.
    pub bench: PathBuf,
}

impl Product {
    /// The name in messages and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvs => "KVS",
            Self::KvsGuarded => "KVS, guarded",
            Self::Bare => "bare axum handler",
            Self::Etcd => "etcd",
            Self::Redis => "Redis",
            Self::Nats => "NATS",
        }
    }

    /// The server behind a protocol.
    pub fn behind(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Kvs => Self::Kvs,
            Protocol::KvsGuarded => Self::KvsGuarded,
            Protocol::Bare => Self::Bare,
            Protocol::EtcdGrpc | Protocol::EtcdGateway => Self::Etcd,
            Protocol::Redis => Self::Redis,
            Protocol::Nats => Self::Nats,
        }
    }

    /// The protocol that it is asked for readiness with.
    pub(super) fn protocol(self) -> Protocol {
        match self {
            Self::Kvs => Protocol::Kvs,
            Self::KvsGuarded => Protocol::KvsGuarded,
            Self::Bare => Protocol::Bare,
            Self::Etcd => Protocol::EtcdGrpc,
            Self::Redis => Protocol::Redis,
            Self::Nats => Protocol::Nats,
        }
    }

    /// What the report says about how it was run.
    pub fn settings(self) -> &'static str {
        match self {
            Self::Kvs => {
                "`durability: sync`, `auth_enabled: false`, `rate_limiting_enabled: false`, \
                 `tamper_logging_enabled: false`, else defaults"
            }
            Self::KvsGuarded => {
                "`durability: sync`, else defaults; a user with `read` and `write`, a mode on the \
                 prefix of all keys"
            }
            Self::Bare => "axum over hyper, its runtime with defaults",
            Self::Etcd => "one member, `--quota-backend-bytes=8589934592 --log-level=error`",
            Self::Redis => {
                "`--appendonly yes --appendfsync always --save \"\" \
                 --auto-aof-rewrite-percentage 0`"
            }
            Self::Nats => "JetStream, `sync_interval: always`; bucket on file, history 1",
        }
    }

    /// The arguments of its program, after the files they name have been written.
    pub(super) fn arguments(self, folder: &Path, ports: Ports) -> io::Result<Vec<String>> {
        let data = folder.join("data").display().to_string();
        Ok(match self {
            Self::Kvs => vec!["run".to_owned(), kvs_config(folder, &data, ports, OPEN)?],
            Self::KvsGuarded => vec!["run".to_owned(), kvs_config(folder, &data, ports, "")?],
            Self::Bare => bare_arguments(folder, ports),
            Self::Etcd => etcd_arguments(&data, ports),
            Self::Redis => redis_arguments(folder, ports),
            Self::Nats => vec!["-c".to_owned(), nats_config(folder, &data, ports)?],
        })
    }
}

impl Programs {
    /// Where the program of a product is.
    pub fn path(&self, product: Product) -> PathBuf {
        match product {
            Product::Kvs | Product::KvsGuarded => self.kvs.clone(),
            Product::Bare => self.bench.clone(),
            Product::Etcd => self.peers.join("etcd"),
            Product::Redis => self.peers.join("redis-server"),
            Product::Nats => self.peers.join("nats-server"),
        }
    }

    /// The version that a product names, if it is there.
    pub fn version(&self, product: Product) -> Option<String> {
        let program = self.path(product);
        match product {
            Product::Bare => None,
            _ => first_line(program, &["--version"]),
        }
    }

    /// Says why a product cannot be started, if its program is not there.
    pub(super) fn check(&self, product: Product) -> Result<(), ServerError> {
        let program = self.path(product);
        if program.exists() {
            return Ok(());
        }
        let noted = fs::read_to_string(program.with_added_extension("missing"));
        let reason = noted.unwrap_or_else(|_none| product.advice().to_owned());
        Err(ServerError::Missing { program, reason: reason.trim().to_owned() })
    }
}

impl Product {
    fn advice(self) -> &'static str {
        match self {
            Self::Kvs | Self::KvsGuarded => "build it with `make build` or name it with --kvs",
            _ => "install it with bench/peers/install.sh",
        }
    }
}

/// What turns everything off that other stores do not do.
const OPEN: &str =
    "auth_enabled: false\nrate_limiting_enabled: false\ntamper_logging_enabled: false\n";

/// The file has the port in its name, since a node keeps instances apart by that.
fn kvs_config(folder: &Path, data: &str, ports: Ports, more: &str) -> io::Result<String> {
    let file = folder.join(format!("bench-{}.yaml", ports.clients));
    let port = ports.clients;
    let text = format!(
        "port: {port}\nbind_address: 127.0.0.1\ndata_dir: {data}\ndurability: sync\n{more}"
    );
    fs::write(&file, text)?;
    Ok(file.display().to_string())
}

fn nats_config(folder: &Path, data: &str, ports: Ports) -> io::Result<String> {
    let file = folder.join("nats.conf");
    let text = format!(
        "listen: \"127.0.0.1:{}\"\njetstream {{\n  store_dir: \"{data}\"\n  \
         sync_interval: always\n}}\n",
        ports.clients
    );
    fs::write(&file, text)?;
    Ok(file.display().to_string())
}

fn bare_arguments(folder: &Path, ports: Ports) -> Vec<String> {
    let answer = folder.join(ANSWER).display().to_string();
    owned(["bare", "--port", &ports.clients.to_string(), "--answer", &answer])
}

fn etcd_arguments(data: &str, ports: Ports) -> Vec<String> {
    let clients = format!("http://127.0.0.1:{}", ports.clients);
    let peers = format!("http://127.0.0.1:{}", ports.peers);
    owned([
        "--name=bench",
        &format!("--data-dir={data}"),
        &format!("--listen-client-urls={clients}"),
        &format!("--advertise-client-urls={clients}"),
        &format!("--listen-peer-urls={peers}"),
        &format!("--initial-advertise-peer-urls={peers}"),
        &format!("--initial-cluster=bench={peers}"),
        "--quota-backend-bytes=8589934592",
        "--log-level=error",
    ])
}

/// Rewriting the file in the background is off, so that a rewrite does not fall into one round
/// and not into another.
fn redis_arguments(folder: &Path, ports: Ports) -> Vec<String> {
    let folder = folder.display().to_string();
    let port = ports.clients.to_string();
    let place = ["--port", &port, "--bind", "127.0.0.1", "--dir", &folder];
    let durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
    let quiet = ["--auto-aof-rewrite-percentage", "0"];
    place.into_iter().chain(durable).chain(quiet).map(str::to_owned).collect()
}

fn owned<const N: usize>(arguments: [&str; N]) -> Vec<String> {
    arguments.map(str::to_owned).into()
}
