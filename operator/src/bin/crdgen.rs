//! Prints the CustomResourceDefinition, as it is committed in `crds/`.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let written = kvs_operator_core::crd::text()
        .map_err(std::io::Error::other)
        .and_then(|text| std::io::stdout().write_all(text.as_bytes()));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
