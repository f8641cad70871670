//! Scenarios on a real Kubernetes.
//!
//! `run` drives them from outside, with a kubeconfig. `agent` is the other half: it runs in a pod, puts
//! load on a cluster through its Service, as applications do, and checks afterwards that nothing that
//! was acknowledged is lost.

mod agent;
mod audit;
mod failure;
mod kubernetes;
mod load;
mod machine;
mod report;
mod scenario;
mod site;
mod wait;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use rustls::crypto::aws_lc_rs;

use crate::failure::Failure;
use crate::site::Site;

/// Scenarios on a real Kubernetes.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Runs scenarios on the cluster of KUBECONFIG, and writes a table of what was seen
    Run(Box<Run>),
    /// Lists the scenarios
    List,
    /// Puts load on a cluster, and checks; runs in a pod
    Agent {
        /// Where it takes orders
        #[arg(long, default_value = "0.0.0.0:8082")]
        listen: SocketAddr,
    },
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Which ones; all without one
    names: Vec<String>,
    /// Only those that CI runs for every commit
    #[arg(long)]
    gate: bool,
    /// What comes before the names of images
    #[arg(long, default_value = "localhost/")]
    registry: String,
    /// The images' tag
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
    /// The API server's audit log, where it can be read
    #[arg(long)]
    audit: Option<PathBuf>,
    /// What reaches the machines of the cluster, where they can be: `e2e/cluster/cluster`
    #[arg(long)]
    machines: Option<PathBuf>,
    /// The image of a server of S3, where there is one
    #[arg(long)]
    s3: Option<String>,
    /// What starts API servers of other releases: `e2e/cluster/versions`
    #[arg(long)]
    versions: Option<PathBuf>,
    /// Where to write the table
    #[arg(long)]
    report: Option<PathBuf>,
    /// What to say of the cluster in it
    #[arg(long, default_value = "KUBECONFIG")]
    on: String,
    /// Where to gather what is needed to understand a failure
    #[arg(long, default_value = "target/e2e")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    // One provider for everything. A second one is refused, and the first is the same.
    let _ = aws_lc_rs::default_provider().install_default();
    let done = match Command::parse() {
        Command::Run(run) => drive(&run).await,
        Command::List => scenario::list(),
        Command::Agent { listen } => agent::serve(listen).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn drive(run: &Run) -> Result<(), Failure> {
    let chosen = scenario::choose(&run.names, run.gate)?;
    let site = Site::new(run).await?;
    site.install().await?;
    let mut rows = Vec::new();
    for scenario in chosen {
        rows.push(scenario::run(&site, scenario).await);
        // Whoever breaks off keeps what was seen.
        if let Some(path) = &run.report {
            report::write(path, &run.on, &site, &rows).await?;
        }
    }
    say(&report::summary(&rows));
    let failed: Vec<_> = rows.iter().filter(|row| row.outcome.is_err()).collect();
    match failed.len() {
        0 => Ok(()),
        count => Err(Failure::new(format!("{count} of {} scenarios failed", rows.len()))),
    }
}

/// Tells whoever watches.
fn say(text: &str) {
    // Nobody may be there.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
