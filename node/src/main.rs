//! The program `kvs`: see `kvs --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kvs_node::cli::main(std::env::args_os())
}
