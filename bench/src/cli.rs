//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    load::{MOST_CONNECTIONS, default_threads},
    results::{bench, repository},
    workload::{LEAST_VALUE, MOST_KEYS},
};

mod only;

pub use only::Only;

/// Measures KVS beside other stores, on this machine alone.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Install the servers that KVS is compared with (etcd, Redis, NATS)
    Peers,
    /// Measure scenarios, all unless told which, and write the report
    Run(RunArgs),
    /// Ten seconds of load on KVS and on the bare handler, to see that it works
    Smoke(Programs),
    /// Write the report again from the results of earlier runs
    Report(Places),
    /// Put load on a server that runs already, on this machine
    Load(LoadArgs),
    /// Serve the bare handler: one answer for every key (started by the benchmark itself)
    Bare(BareArgs),
}

/// How to measure.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Only this scenario, or all whose names begin with it and a hyphen, like `cluster`; may be
    /// given several times
    #[arg(long, value_name = "SCENARIO")]
    pub only: Vec<Only>,
    /// Fail if a bar of what is measured is missed
    #[arg(long)]
    pub bars: bool,
    /// How long and how often
    #[command(flatten)]
    pub effort: Effort,
    /// What is measured
    #[command(flatten)]
    pub programs: Programs,
    /// Where things are read and written
    #[command(flatten)]
    pub places: Places,
}

/// How long and how often something is measured.
#[derive(Debug, Clone, Copy, Args)]
pub struct Effort {
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=50))]
    pub rounds: u64,
    /// Seconds for each server in each round, after a quarter of that to warm up
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub seconds: u64,
    /// Threads of the load generator
    #[arg(long, default_value_t = default_threads(), value_parser = threads)]
    pub threads: usize,
    /// Keys of full stores in the scenarios of clusters; their bars are about the default
    #[arg(long, value_parser = clap::value_parser!(u64).range(1_000..=MOST_KEYS))]
    pub keys: Option<u64>,
}

/// What is measured.
#[derive(Debug, Args)]
pub struct Programs {
    /// The program `kvs`; by default that of `make build`, else the last release build
    #[arg(long)]
    pub kvs: Option<PathBuf>,
    /// The folder of the other servers; by default ~/.cache/kvs/peers
    #[arg(long, env = "KVS_PEERS")]
    pub peers: Option<PathBuf>,
    /// A folder on disk for the servers' data; by default ~/.cache/kvs/bench
    #[arg(long)]
    pub disk: Option<PathBuf>,
    /// A folder in memory for the same
    #[arg(long, default_value = "/dev/shm")]
    pub tmpfs: PathBuf,
}

/// Where results and report are.
#[derive(Debug, Args)]
pub struct Places {
    /// The folder of documents, for benchmarks.md and its plots
    #[arg(long, default_value_os_t = repository().join("docs"))]
    pub out: PathBuf,
    /// The results, of which a partial run replaces its own
    #[arg(long, default_value_os_t = bench().join("results/latest.json"))]
    pub results: PathBuf,
}

/// A load of any kind.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The server: http:// for KVS, etcd://, etcd+http:// (its JSON gateway), redis:// or nats://
    #[arg(long)]
    pub url: String,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = 64, value_parser = connections)]
    pub connections: usize,
    /// Keys that requests fall on
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=MOST_KEYS))]
    pub keys: u64,
    /// Bytes of a value
    #[arg(long, default_value_t = 256, value_parser = value_size)]
    pub value_size: usize,
    /// Reads of 100 requests
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub reads: u8,
    /// Choose keys by Zipf's law with this exponent, for example 0.99, instead of uniformly
    #[arg(long, value_name = "EXPONENT")]
    pub zipf: Option<f64>,
    /// Puts in a request
    #[arg(long, default_value_t = 1, value_parser = batch)]
    pub batch: usize,
    /// Requests a second in an open loop; without it a closed loop as fast as it goes
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rate: Option<u32>,
    /// Seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Write every key once before
    #[arg(long)]
    pub fill: bool,
    /// From which keys and values follow
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads of the load generator
    #[arg(long, default_value_t = default_threads(), value_parser = threads)]
    pub threads: usize,
}

/// What the bare handler answers and where.
#[derive(Debug, Args)]
pub struct BareArgs {
    /// The port on loopback
    #[arg(long)]
    pub port: u16,
    /// A file with the answer
    #[arg(long)]
    pub answer: PathBuf,
}

fn connections(text: &str) -> Result<usize, String> {
    within(text, 1, MOST_CONNECTIONS)
}

fn threads(text: &str) -> Result<usize, String> {
    within(text, 1, 64)
}

fn batch(text: &str) -> Result<usize, String> {
    within(text, 1, 1_000)
}

fn value_size(text: &str) -> Result<usize, String> {
    within(text, LEAST_VALUE, 1 << 20)
}

fn within(text: &str, least: usize, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("{text} is not a number from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(arguments: &str) -> Result<Cli, clap::Error> {
        let all = format!("kvs-bench load --url http://127.0.0.1:1 {arguments}");
        Cli::try_parse_from(all.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn limits_hold_exactly() {
        for accepted in ["--connections 256", "--value-size 8", "--batch 1000", "--reads 100"] {
            assert!(load(accepted).is_ok(), "{accepted}");
        }
        for refused in ["--connections 257", "--value-size 7", "--batch 1001", "--reads 101"] {
            assert!(load(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_number_out_of_range_is_told_what_is_allowed() {
        let expected = Err("x is not a number from 1 to 256".to_owned());
        assert_eq!(connections("x"), expected);
    }
}
