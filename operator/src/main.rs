//! The operator's program.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::Parser as _;
use kvs_operator::run::run;
use kvs_operator::settings::Settings;
use rustls::crypto::aws_lc_rs;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let settings = Settings::parse();
    log(&settings);
    // One provider for everything. A second one is refused, and the first is the same.
    let _ = aws_lc_rs::default_provider().install_default();
    match start(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the operator does not start");
            ExitCode::FAILURE
        }
    }
}

fn log(settings: &Settings) {
    let filter =
        EnvFilter::try_new(&settings.log).unwrap_or_else(|_malformed| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let lines = lines.with_ansi(io::stderr().is_terminal());
    if settings.log_json { lines.json().init() } else { lines.init() }
}

#[tokio::main]
async fn start(settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
    let stop = CancellationToken::new();
    let (mut ended, mut interrupted) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let running = run(settings, stop.clone());
    tokio::pin!(running);
    tokio::select! {
        done = &mut running => return Ok(done?),
        _ = ended.recv() => {}
        _ = interrupted.recv() => {}
    }
    stop.cancel();
    Ok(running.await?)
}
