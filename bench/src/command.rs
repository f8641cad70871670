//! What the commands do.

use std::{io, net::SocketAddr, path::PathBuf, process, time::Duration};

use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

use crate::{
    bare::{self, Answer},
    cli::{BareArgs, Cli, Command, Effort, Only, Places, Programs, RunArgs},
    console::answer,
    figure,
    load::{LoadError, default_threads},
    report,
    results::{Results, Section, bench, repository},
    scenario::{self, Scenario, ScenarioError, Settings},
    server,
};

mod load;
mod smoke;

pub use smoke::SmokeError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file, a process or the runtime failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A scenario has no results.
    #[error("{scenario} was not measured")]
    Scenario {
        /// Which.
        scenario: Scenario,
        /// Why not.
        source: ScenarioError,
    },
    /// A load has no figures.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The smoke test failed.
    #[error(transparent)]
    Smoke(#[from] SmokeError),
    /// Bars were missed or not measured.
    #[error("{0} of the bars are missed")]
    Missed(usize),
    /// The server to be loaded is not named in a way that is understood.
    #[error(
        "{0}: a server is named like http://127.0.0.1:8080, with http, etcd, etcd+http, redis or nats"
    )]
    Url(String),
    /// The server to be loaded is somewhere else.
    #[error("{0} is not on this machine; the load generator loads nobody else's")]
    NotLoopback(SocketAddr),
    /// Somebody asked it to stop.
    #[error("stopped by a signal; the servers are ended, no results are written")]
    Stopped,
    /// The installation of the other servers failed.
    #[error("peers/install.sh failed")]
    Peers,
}

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = match cli.command {
        Command::Peers => install_peers(),
        Command::Run(arguments) => until_stopped(&runtime, measure(&arguments)),
        Command::Smoke(programs) => until_stopped(&runtime, smoke(&programs)),
        Command::Report(places) => write_report(&Results::read(&places.results)?, &places),
        Command::Load(arguments) => until_stopped(&runtime, load::run(&arguments)),
        Command::Bare(arguments) => runtime.block_on(serve_bare(&arguments)),
    };
    runtime.shutdown_background();
    outcome
}

/// What is dropped at a signal takes its servers with it.
fn until_stopped(
    runtime: &Runtime,
    work: impl Future<Output = Result<(), CommandError>>,
) -> Result<(), CommandError> {
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            outcome = work => outcome,
            _ = interrupt.recv() => Err(CommandError::Stopped),
            _ = terminate.recv() => Err(CommandError::Stopped),
        }
    })
}

fn install_peers() -> Result<(), CommandError> {
    let script = bench().join("peers/install.sh");
    if process::Command::new(script).status()?.success() {
        Ok(())
    } else {
        Err(CommandError::Peers)
    }
}

async fn measure(arguments: &RunArgs) -> Result<(), CommandError> {
    let settings = settings(&arguments.programs, arguments.effort)?;
    let mut verdicts = Vec::new();
    for scenario in chosen(&arguments.only) {
        let section = run_one(scenario, &settings).await?;
        verdicts.extend(figure::judge(scenario, &section));
        keep(scenario, section, &arguments.places)?;
    }
    answer(&format!("report: {}", arguments.places.out.join("benchmarks.md").display()));
    figure::tell(&verdicts)?;
    match verdicts.iter().filter(|verdict| !verdict.is_met()).count() {
        missed @ 1.. if arguments.bars => Err(CommandError::Missed(missed)),
        _ => Ok(()),
    }
}

fn chosen(only: &[Only]) -> Vec<Scenario> {
    if only.is_empty() {
        return <Scenario as clap::ValueEnum>::value_variants().to_vec();
    }
    only.iter().flat_map(|only| only.0.iter().copied()).collect()
}

async fn run_one(scenario: Scenario, settings: &Settings) -> Result<Section, CommandError> {
    let outcome = scenario::run(scenario, settings).await;
    outcome.map_err(|source| CommandError::Scenario { scenario, source })
}

/// Results are read again before each change, so that two runs lose nothing of each other.
fn keep(scenario: Scenario, section: Section, places: &Places) -> Result<(), CommandError> {
    let mut results = Results::read(&places.results)?;
    results.sections.insert(scenario, section);
    results.write(&places.results)?;
    write_report(&results, places)
}

fn write_report(results: &Results, places: &Places) -> Result<(), CommandError> {
    Ok(report::write(results, &places.out)?)
}

async fn smoke(programs: &Programs) -> Result<(), CommandError> {
    let threads = default_threads();
    let settings = settings(programs, Effort { rounds: 1, seconds: 2, threads, keys: None })?;
    Ok(smoke::run(&settings).await?)
}

async fn serve_bare(arguments: &BareArgs) -> Result<(), CommandError> {
    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await?;
    Ok(bare::serve(listener, &Answer::read(&arguments.answer)?).await?)
}

fn settings(programs: &Programs, effort: Effort) -> io::Result<Settings> {
    Ok(Settings {
        rounds: usize::try_from(effort.rounds).unwrap_or(1),
        length: Duration::from_secs(effort.seconds),
        threads: effort.threads,
        keys: effort.keys,
        programs: server::Programs {
            kvs: programs.kvs.clone().unwrap_or_else(built_kvs),
            peers: programs.peers.clone().unwrap_or_else(|| cache("peers")),
            bench: std::env::current_exe()?,
        },
        disk: programs.disk.clone().unwrap_or_else(|| cache("bench")),
        tmpfs: programs.tmpfs.clone(),
        command: command_line(),
    })
}

/// The first that exists of what `make build` leaves and what cargo does.
fn built_kvs() -> PathBuf {
    let repository = repository();
    let dist = repository.join("dist/kvs");
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let release = target.unwrap_or_else(|| repository.join("target")).join("release/kvs");
    let found = [dist.clone(), release].into_iter().find(|program| program.exists());
    found.and_then(|program| program.canonicalize().ok()).unwrap_or(dist)
}

fn cache(name: &str) -> PathBuf {
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    home.join(".cache/kvs").join(name)
}

fn command_line() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("kvs-bench {}", arguments.join(" "))
}

#[cfg(test)]
mod tests;
