//! `kvs status`: the instances of this machine.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kvs_client::{Client, ClusterStatus, PeerStatus};
use serde::Serialize;

use super::cluster::status::lag;
use super::failure::NOT_RUNNING;
use super::output::{self, Table};
use super::start::registry;
use super::stop::{Target, uptime};
use super::{Done, Failure, remote, time};
use crate::config::Environment;
use crate::daemon::{InstanceName, Record, Registry, State};
use crate::server::SOCKET;

/// How long a node may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Show the nodes in the background of this machine.
///
/// All that run, and those that ended without being stopped; or one, by name or configuration, with
/// exit code 3 if it does not run. It works from any folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs status
  kvs status node1 --json")]
pub(super) struct Status {
    /// Only this node: its name or configuration file
    config: Option<PathBuf>,

    /// Print JSON: a list, or one object where a node is named
    #[arg(long)]
    json: bool,
}

/// What is shown of an instance.
#[derive(Debug, Serialize)]
struct Line {
    name: String,
    running: bool,
    #[serde(flatten)]
    process: Option<Process>,
    #[serde(flatten)]
    place: Option<Place>,
    log: PathBuf,
}

#[derive(Debug, Serialize)]
struct Process {
    pid: i32,
    uptime_seconds: Option<u64>,
    mode: String,
    #[serde(flatten)]
    share: Share,
}

/// What the node says of its cluster.
#[derive(Debug, Default, Serialize)]
struct Share {
    /// Members of its cluster, itself included.
    members: Option<usize>,
    /// Writes of other members that it does not have, as far as it knows.
    versions_behind: Option<u64>,
    /// What people read of that.
    #[serde(skip)]
    lag: Option<String>,
}

#[derive(Debug, Serialize)]
struct Place {
    address: String,
    config: PathBuf,
    data_dir: PathBuf,
}

impl Status {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let registry = registry(environment)?;
        match &self.config {
            Some(config) => self.one(&registry, &Target::new(Some(config))?).await,
            None => self.all(&registry).await,
        }
    }

    async fn one(&self, registry: &Registry, target: &Target) -> Done {
        let state = target.state(registry)?;
        let line = Line::new(registry, &target.name, state).await?;
        let running = line.running;
        if self.json {
            output::json(&line)?;
        } else {
            print(&[line])?;
        }
        if running { Ok(()) } else { Err(Failure::Told(NOT_RUNNING)) }
    }

    async fn all(&self, registry: &Registry) -> Done {
        let mut lines = Vec::new();
        for name in registry.names()? {
            lines.push(Line::new(registry, &name, registry.state(&name)?).await?);
        }
        match (self.json, lines.is_empty()) {
            (true, _) => output::json(&lines),
            (false, true) => output::line("No node was started here. Start one with: kvs start"),
            (false, false) => print(&lines),
        }
    }
}

impl Line {
    async fn new(registry: &Registry, name: &InstanceName, state: State) -> Result<Self, Failure> {
        let (pid, record) = match state {
            State::Absent => (None, None),
            State::Dead { record } => (None, record),
            State::Running { pid, record } => (Some(pid.as_raw_pid()), record),
        };
        let process = match pid {
            None => None,
            Some(pid) => Some(Process {
                pid,
                uptime_seconds: record.as_ref().map(uptime),
                mode: mode(record.as_ref()).await?,
                share: Share::of(record.as_ref()).await?,
            }),
        };
        let (running, log) = (pid.is_some(), registry.log_file(name));
        let place = record.map(|record| Place {
            address: record.url,
            config: record.config,
            data_dir: record.data_dir,
        });
        Ok(Self { name: name.to_string(), running, process, place, log })
    }

    fn cells(&self) -> [String; 8] {
        let none = || "-".to_owned();
        let place = self.place.as_ref();
        let address = || place.map_or_else(none, |place| place.address.clone());
        let config = place.map_or_else(none, |place| place.config.display().to_string());
        match &self.process {
            None => [
                self.name.clone(),
                none(),
                none(),
                none(),
                "not running".to_owned(),
                none(),
                none(),
                config,
            ],
            Some(process) => [
                self.name.clone(),
                process.pid.to_string(),
                process.uptime_seconds.map_or_else(none, time::span),
                address(),
                process.mode.clone(),
                process.share.members.map_or_else(none, |count| count.to_string()),
                process.share.lag.clone().unwrap_or_else(none),
                config,
            ],
        }
    }
}

impl Share {
    /// Asks the node; one that stands alone, or does not answer, says nothing.
    async fn of(record: Option<&Record>) -> Result<Self, Failure> {
        let Some(record) = record else { return Ok(Self::default()) };
        let cluster = client(record)?.cluster().await;
        Ok(cluster.map(|status| Self::from(&status)).unwrap_or_default())
    }
}

impl From<&ClusterStatus> for Share {
    fn from(status: &ClusterStatus) -> Self {
        let joined: Vec<&PeerStatus> =
            status.peers.iter().filter(|peer| peer.standing.as_deref() == Some("joined")).collect();
        // Of the others the one that is furthest behind, and of those that are equal the one that
        // was complete the longest ago.
        let worst = joined
            .iter()
            .max_by_key(|peer| (peer.versions_behind, peer.stream != "open", peer.complete_age));
        Self {
            members: Some(joined.len() + 1),
            versions_behind: Some(joined.iter().map(|peer| peer.versions_behind).sum()),
            lag: Some(worst.map_or_else(|| "none".to_owned(), |peer| lag(peer))),
        }
    }
}

/// What the node says of itself: a node without an address is not ready yet.
async fn mode(record: Option<&Record>) -> Result<String, Failure> {
    let Some(record) = record else { return Ok("starting".to_owned()) };
    let health = client(record)?.health().await;
    Ok(health.map_or_else(|_silent| "no answer".to_owned(), |health| health.mode))
}

/// A client of an instance: as the owner of its data, where that is possible.
fn client(record: &Record) -> Result<Client, Failure> {
    let socket = record.data_dir.join(SOCKET);
    if socket.exists() {
        return remote::by_socket(&socket, PATIENCE);
    }
    remote::client(&record.url, None, PATIENCE)
}

fn print(lines: &[Line]) -> Done {
    let heading = ["NAME", "PID", "UPTIME", "ADDRESS", "MODE", "MEMBERS", "LAG", "CONFIGURATION"];
    let mut table = Table::new(heading);
    for line in lines {
        table.row(line.cells());
    }
    table.print()
}
