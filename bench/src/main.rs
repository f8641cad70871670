//! The command line of the benchmark.

use std::process::ExitCode;

use clap::Parser;
use kvs_bench::{cli::Cli, command, console};

fn main() -> ExitCode {
    match command::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::note(&format!("kvs-bench: {}", console::in_full(&error)));
            ExitCode::FAILURE
        }
    }
}
