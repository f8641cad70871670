//! A look at whether the benchmark and the node work, short enough for every test run.

use tempfile::TempDir;

use crate::{
    bare::Answer,
    console::answer,
    load::{self, Figures, Load, LoadError},
    number::{grouped, latency},
    scenario::{Settings, VALUE_SIZE},
    schedule::{Pace, Window},
    server::{Product, Server, ServerError},
    target::{Endpoint, KvsSession, Protocol, Session, TargetError},
    workload::{KeyChoice, Workload, key_name},
};

/// Keys written and read.
const KEYS: u64 = 1_000;

const CONNECTIONS: usize = 16;

/// Why the smoke test failed.
#[derive(Debug, thiserror::Error)]
pub enum SmokeError {
    /// There is no folder for the servers.
    #[error("no folder for the servers: {0}")]
    Folder(#[from] std::io::Error),
    /// A server could not be started.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A load has no figures.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A single request failed.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// A value came back changed.
    #[error("{wrote} was written and {read} read")]
    Changed {
        /// What was written.
        wrote: String,
        /// What was read, with all around it.
        read: String,
    },
    /// Requests failed under load.
    #[error("{name}: {errors} requests failed, the first: {first}")]
    Failed {
        /// The server.
        name: &'static str,
        /// How many.
        errors: u64,
        /// How.
        first: String,
    },
    /// No request was answered.
    #[error("{0} answered no request at all")]
    Idle(&'static str),
}

/// Puts, batches and reads on KVS, reads on the bare handler, and the ratio of the two.
pub(super) async fn run(settings: &Settings) -> Result<(), SmokeError> {
    let folder = TempDir::new()?;
    let place = folder.path();
    let kvs = Server::start(Product::Kvs, &settings.programs, place, None).await?;
    let ours = kvs.endpoint(Protocol::Kvs);
    let sample = round_trip(ours).await?;
    let bare = Server::start(Product::Bare, &settings.programs, place, Some(&sample)).await?;
    let (puts, gets) = (workload(0), workload(100));
    load::fill(ours, &puts, 0..KEYS).await?;
    report("durable PUT", ours, &measure(settings, ours, puts).await?);
    let our_gets = measure(settings, ours, gets.clone()).await?;
    let bare_gets = measure(settings, bare.endpoint(Protocol::Bare), gets).await?;
    report("GET", ours, &our_gets);
    report("GET", bare.endpoint(Protocol::Bare), &bare_gets);
    let ratio = our_gets.requests_per_second / bare_gets.requests_per_second;
    answer(&format!("KVS reads {ratio:.2} × as fast as the bare handler"));
    kvs.stop().await;
    bare.stop().await;
    Ok(())
}

/// Writes one value, reads it back and compares.
async fn round_trip(endpoint: Endpoint) -> Result<Answer, SmokeError> {
    let value = bytes::Bytes::from_static(br#"{"v":"as it was written: \u00e9 1.0"}"#);
    let mut session = KvsSession::connect(endpoint.address).await?;
    session.put(&key_name(0), &value).await?;
    let read = session.read(&key_name(0)).await?;
    let (wrote, text) = (text(&value), text(read.body()));
    if text.contains(&wrote) {
        return Ok(Answer::of(&read));
    }
    Err(SmokeError::Changed { wrote, read: text })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn workload(reads: u8) -> Workload {
    let choice = KeyChoice::Uniform;
    Workload { keys: KEYS, value_size: VALUE_SIZE, reads, choice, batch: 1, seed: 1 }
}

async fn measure(
    settings: &Settings,
    endpoint: Endpoint,
    workload: Workload,
) -> Result<Figures, SmokeError> {
    let window = Window { warmup: settings.length / 4, length: settings.length };
    let (pace, threads) = (Pace::Closed, settings.threads);
    let (others, connections) = (Vec::new(), CONNECTIONS);
    let load = Load { endpoint, others, workload, connections, pace, window, threads };
    sound(endpoint.protocol.name(), load::run(&load).await?)
}

fn sound(name: &'static str, figures: Figures) -> Result<Figures, SmokeError> {
    if let Some(first) = figures.first_error {
        return Err(SmokeError::Failed { name, errors: figures.errors, first });
    }
    if figures.requests_per_second > 0.0 { Ok(figures) } else { Err(SmokeError::Idle(name)) }
}

fn report(verb: &str, endpoint: Endpoint, figures: &Figures) {
    let p99 = figures.reads.or(figures.writes).map_or(0.0, |latency| latency.p99);
    let rate = grouped(figures.requests_per_second);
    answer(&format!("{}: {verb} {rate}/s, p99 {}", endpoint.protocol.name(), latency(p99)));
}
