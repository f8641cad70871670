//! The program `kvs`: see `kvs --help`.

use std::process::ExitCode;

/// Requests allocate small pieces all the time and free them on other threads: in the system's
/// allocator they spent a tenth of a read.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The one provider of cryptography, for every library that asks for the process's own. It is
    // there already only if this was done before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    kvs_node::cli::main(std::env::args_os())
}
