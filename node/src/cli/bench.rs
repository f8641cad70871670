//! `kvs bench`: a simple load on a running node.

mod load;
mod report;

use std::time::Duration;

use clap::Args;
use kvs_client::Client;

use self::load::Plan;
use super::remote::Remote;
use super::{Done, Failure, output};
use crate::config::Environment;

/// Put a load on a running node, and show how fast it answers.
///
/// A closed loop: each connection sends its next request when the last one is answered. It writes
/// keys below the prefix, which must be empty, and deletes them at the end.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs bench
  kvs bench --connections 8 --reads 0 --size 1024 --seconds 30")]
pub(super) struct Bench {
    /// How many connections send at a time
    #[arg(short, long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,

    /// For how long, in seconds
    #[arg(short, long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,

    /// Bytes of each value
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(2..=67_108_864))]
    size: u32,

    /// How many keys
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    keys: u32,

    /// How many of a hundred requests read
    #[arg(long, default_value_t = 50, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    reads: u8,

    /// Where its keys lie
    #[arg(long, default_value = "kvs-bench")]
    prefix: String,

    #[command(flatten)]
    remote: Remote,
}

impl Bench {
    pub(super) fn run(self, environment: &Environment) -> Done {
        let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        threads.block_on(self.measure(environment))
    }

    async fn measure(self, environment: &Environment) -> Done {
        let clients: Result<Vec<Client>, Failure> =
            (0..self.connections).map(|_| self.remote.client(environment)).collect();
        let (clients, plan) = (clients?, self.plan());
        let Some(client) = clients.first().cloned() else { return Ok(()) };
        load::refuse_used(&client, &plan).await?;
        if !self.remote.json {
            output::notice(format_args!("writing {} keys below {}", self.keys, self.prefix));
        }
        let measured = load::fill_and_run(clients, &plan).await;
        load::clear(&client, &plan).await?;
        let report = measured?;
        if self.remote.json { output::json(&report) } else { report.print(&self) }
    }

    fn plan(&self) -> Plan {
        Plan {
            prefix: self.prefix.clone(),
            keys: self.keys,
            size: self.size as usize,
            reads: self.reads,
            time: Duration::from_secs(self.seconds),
        }
    }
}
