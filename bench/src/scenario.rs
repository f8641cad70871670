//! What is measured, and how servers take turns.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{
    bare::Answer,
    cluster::ClusterError,
    console::note,
    load::{self, Load, LoadError},
    machine::{self, Machine},
    number::{float, grouped},
    results::{About, Origin, Section},
    schedule::{Pace, Window},
    server::{Fleet, Product, Programs},
    target::{Endpoint, KvsSession, Protocol, Session, TargetError},
    workload::{KeyChoice, ValuePool, Workload, key_name},
};

pub(crate) mod attack;
pub(crate) mod cluster;
mod comparison;
mod curve;
pub(crate) mod growth;
mod turn;

use turn::{Turn, interleave, measure};

/// Bytes of a value, in all scenarios.
pub const VALUE_SIZE: usize = 256;

/// From which keys and values of all scenarios follow.
const SEED: u64 = 20_240_229;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Durable puts on disk, all servers.
    PutDisk,
    /// The same with all data in memory, where the processor alone decides.
    PutTmpfs,
    /// Reads, all servers and the bare handler.
    Get,
    /// Batches of 100 durable puts.
    Batch,
    /// Throughput and latency over the number of connections.
    Connections,
    /// Throughput and latency over the number of keys.
    Keys,
    /// Latency at 1 and at 5 million keys, and memory.
    Growth,
    /// What asking who calls, modes, limits of rates and the tamper-evident log cost.
    Guarded,
    /// What a client notices while somebody shows wrong tokens.
    Attack,
    /// How soon a write to one of three nodes is readable on all.
    ClusterVisible,
    /// Writes a second of three nodes that replicate, beside a single one.
    ClusterThroughput,
    /// Bytes and time that differences between nodes cost.
    ClusterRepair,
    /// How fast an empty node fills from one that is written to.
    ClusterBootstrap,
}

impl From<TargetError> for ScenarioError {
    fn from(error: TargetError) -> Self {
        Self::Cluster(error.into())
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value().map(|value| value.get_name().to_owned());
        formatter.write_str(&name.unwrap_or_default())
    }
}

/// How scenarios are measured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Rounds, of which medians are taken.
    pub rounds: usize,
    /// How long each server is measured in each round.
    pub length: Duration,
    /// Threads of the load generator.
    pub threads: usize,
    /// Keys of full stores in scenarios of clusters, if not as many as their bars are about.
    pub keys: Option<u64>,
    /// What is measured.
    pub programs: Programs,
    /// A folder on disk.
    pub disk: PathBuf,
    /// A folder in memory.
    pub tmpfs: PathBuf,
    /// The command that measures the same again.
    pub command: String,
}

/// Why a scenario has no results.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A server could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The disk alone could not be measured.
    #[error("the disk alone could not be measured")]
    Disk(#[from] io::Error),
    /// KVS did not show what the bare handler is to repeat.
    #[error("KVS did not answer the read that the bare handler is to repeat")]
    Sample(#[source] TargetError),
    /// The scenario is about KVS and KVS could not be started.
    #[error("{0}")]
    NoKvs(String),
    /// A cluster could not be measured.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// What must not fail did.
    #[error("{errors} requests failed, the first: {first}")]
    Failed {
        /// How many.
        errors: u64,
        /// How.
        first: String,
    },
}

/// Measures a scenario from an empty folder to its results.
pub async fn run(scenario: Scenario, settings: &Settings) -> Result<Section, ScenarioError> {
    note(&format!("{scenario}:"));
    match scenario {
        Scenario::PutDisk => comparison::put_on_disk(settings).await,
        Scenario::PutTmpfs => comparison::put_in_memory(settings).await,
        Scenario::Get => comparison::get(settings).await,
        Scenario::Batch => comparison::batch(settings).await,
        Scenario::Connections => curve::over_connections(settings).await,
        Scenario::Keys => curve::over_keys(settings).await,
        Scenario::Growth => growth::measure_growth(settings).await,
        Scenario::Guarded => comparison::guarded(settings).await,
        Scenario::Attack => attack::measure_attack(settings).await,
        Scenario::ClusterVisible => cluster::measure_visibility(settings).await,
        Scenario::ClusterThroughput => cluster::measure_throughput(settings).await,
        Scenario::ClusterRepair => cluster::measure_repair(settings).await,
        Scenario::ClusterBootstrap => cluster::measure_bootstrap(settings).await,
    }
}

impl Settings {
    fn window(&self) -> Window {
        Window { warmup: self.length / 4, length: self.length }
    }

    /// A load of this scenario's kind in a closed loop.
    fn load(&self, endpoint: Endpoint, workload: Workload, connections: usize) -> Load {
        let (pace, window, threads) = (Pace::Closed, self.window(), self.threads);
        Load { endpoint, others: Vec::new(), workload, connections, pace, window, threads }
    }

    /// The results of a scenario, still without figures.
    fn section(&self, asked: String, place: &Path, fleet: &Fleet) -> Section {
        Section {
            servers: fleet.products().map(|product| self.about(product)).collect(),
            left_out: fleet.left_out().to_vec(),
            ..self.bare_section(asked, place)
        }
    }

    /// The same without servers.
    fn bare_section(&self, asked: String, place: &Path) -> Section {
        Section {
            origin: Origin::now(&self.command),
            machine: Machine::here(),
            filesystem: machine::filesystem(place),
            rounds: self.rounds,
            seconds: self.length.as_secs_f64(),
            threads: self.threads,
            asked,
            servers: Vec::new(),
            left_out: Vec::new(),
            measurements: Vec::new(),
            syncs: Vec::new(),
            memory: Vec::new(),
            readings: Vec::new(),
            keys: self.keys,
            load_average: machine::load_average(),
        }
    }

    fn about(&self, product: Product) -> About {
        let version = self.programs.version(product).or_else(|| library_version(product));
        About {
            name: product.name().to_owned(),
            version: version.unwrap_or_else(|| "unknown".to_owned()),
            settings: product.settings().to_owned(),
        }
    }
}

/// Why there is nothing to measure.
fn no_kvs(fleet: &Fleet) -> ScenarioError {
    let reason = fleet.left_out().first().map(|left_out| left_out.reason.clone());
    ScenarioError::NoKvs(reason.unwrap_or_default())
}

fn library_version(product: Product) -> Option<String> {
    (product == Product::Bare).then(|| format!("axum {}", locked_version("axum")))
}

/// The version of a library that this program was built with.
pub fn locked_version(library: &str) -> String {
    let lock = include_str!("../Cargo.lock");
    let after = lock.split_once(&format!("name = \"{library}\"\nversion = \""));
    let version = after.and_then(|(_, rest)| rest.split_once('"'));
    version.map_or("unknown", |(version, _)| version).to_owned()
}

fn workload(keys: u64, reads: u8, batch: usize) -> Workload {
    let choice = KeyChoice::Uniform;
    Workload { keys, value_size: VALUE_SIZE, reads, choice, batch, seed: SEED }
}

/// Fills all of these servers with the keys of the workload, one after the other.
async fn fill_all(endpoints: &[Endpoint], workload: &Workload) -> Result<(), ScenarioError> {
    for &endpoint in endpoints {
        if endpoint.protocol != Protocol::EtcdGateway {
            note(&format!(
                "  {} keys into {}",
                grouped(float(workload.keys)),
                endpoint.protocol.name()
            ));
            load::fill(endpoint, workload, 0..workload.keys).await?;
        }
    }
    Ok(())
}

/// What KVS answers to a read, or what it would if it is not there.
async fn sample(fleet: &Fleet, workload: &Workload) -> Result<Answer, ScenarioError> {
    let Some(endpoint) = fleet.endpoint(Protocol::Kvs) else {
        return Ok(Answer::sample(&a_value(workload)));
    };
    let mut session = KvsSession::connect(endpoint.address).await.map_err(ScenarioError::Sample)?;
    let answer = session.read(&key_name(0)).await.map_err(ScenarioError::Sample)?;
    Ok(Answer::of(&answer))
}

fn a_value(workload: &Workload) -> String {
    use rand::{SeedableRng, rngs::SmallRng};
    let mut rng = SmallRng::seed_from_u64(workload.seed);
    let value = ValuePool::new(workload.value_size, workload.seed).draw(&mut rng);
    String::from_utf8_lossy(&value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_the_clients_have_versions() {
        assert!(locked_version("axum").starts_with("0.8"));
        assert_eq!(locked_version("no-such-library"), "unknown");
    }

    #[test]
    fn scenarios_are_named_alike_on_the_command_line_and_in_results() {
        for scenario in Scenario::value_variants() {
            let json = serde_json::to_string(scenario).expect("it is a string");
            assert_eq!(json, format!("\"{scenario}\""));
        }
    }
}
