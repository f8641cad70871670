//! Load of any kind on a server that runs already.

use std::{net::ToSocketAddrs, time::Duration};

use super::CommandError;
use crate::{
    cli::LoadArgs,
    console::{answer, note},
    load::{self, Figures, Load, LoadError},
    schedule::{Pace, Window},
    target::{Endpoint, Protocol},
    workload::{KeyChoice, Workload},
};

pub(super) async fn run(arguments: &LoadArgs) -> Result<(), CommandError> {
    let load = load_of(arguments)?;
    load.endpoint
        .prepare()
        .await
        .map_err(|source| LoadError::Connect { name: load.endpoint.protocol.name(), source })?;
    if arguments.fill {
        note("filling ...");
        load::fill(load.endpoint, &load.workload, 0..load.workload.keys).await?;
    }
    let figures = load::run(&load).await?;
    answer(&in_words(&figures));
    Ok(())
}

fn load_of(arguments: &LoadArgs) -> Result<Load, CommandError> {
    let length = Duration::from_secs(arguments.seconds);
    Ok(Load {
        endpoint: endpoint(&arguments.url)?,
        others: Vec::new(),
        workload: Workload {
            keys: arguments.keys,
            value_size: arguments.value_size,
            reads: arguments.reads,
            choice: arguments.zipf.map_or(KeyChoice::Uniform, KeyChoice::Zipf),
            batch: arguments.batch,
            seed: arguments.seed,
        },
        connections: arguments.connections,
        pace: arguments.rate.map_or(Pace::Closed, |rate| Pace::Open(f64::from(rate))),
        window: Window { warmup: length / 10, length },
        threads: arguments.threads,
    })
}

/// A URL names the protocol and an address, which must be on this machine.
pub(super) fn endpoint(url: &str) -> Result<Endpoint, CommandError> {
    let misnamed = || CommandError::Url(url.to_owned());
    let (scheme, rest) = url.split_once("://").ok_or_else(misnamed)?;
    let protocol = match scheme {
        "http" => Protocol::Kvs,
        "etcd" => Protocol::EtcdGrpc,
        "etcd+http" => Protocol::EtcdGateway,
        "redis" => Protocol::Redis,
        "nats" => Protocol::Nats,
        _ => return Err(misnamed()),
    };
    let addresses = rest.trim_end_matches('/').to_socket_addrs();
    let address = addresses.ok().and_then(|mut all| all.next()).ok_or_else(misnamed)?;
    if !address.ip().is_loopback() {
        return Err(CommandError::NotLoopback(address));
    }
    Ok(Endpoint { protocol, address, token: None })
}

fn in_words(figures: &Figures) -> String {
    serde_json::to_string_pretty(figures).unwrap_or_default()
}
