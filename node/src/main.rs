//! The program `kvs`: see `kvs --help`.

use std::process::ExitCode;

/// Requests allocate small pieces all the time and free them on other threads: in the system's
/// allocator they spent a tenth of a read.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kvs_node::cli::main(std::env::args_os())
}
