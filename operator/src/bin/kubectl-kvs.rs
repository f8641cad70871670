//! `kubectl kvs`: clusters as people look at them.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use kvs_operator::plugin::Command;
use rustls::crypto::aws_lc_rs;

#[tokio::main]
async fn main() -> ExitCode {
    // One provider for everything. A second one is refused, and the first is the same.
    let _ = aws_lc_rs::default_provider().install_default();
    match Command::parse().run(&mut io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(io::stderr(), "kubectl kvs: {error}");
            ExitCode::FAILURE
        }
    }
}
