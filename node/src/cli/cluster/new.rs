//! `kvs cluster new`: a new cluster's file.

use std::io;
use std::path::PathBuf;

use clap::Args;
use kvs_client::ClusterFile;
use rustix::fs::{FileType, Mode, fchmod, fstat};

use crate::cli::{Done, output};

/// Make a new cluster's file: its id, its first secret, its first token-signing key.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs cluster new --out cluster.kvs
  kvs cluster new > cluster.kvs          the same, in place of what was there
  kvs cluster new | kubectl create secret generic kvs --from-file=cluster.kvs=/dev/stdin")]
pub(super) struct New {
    /// Write it here, with mode 0600, where nothing may be yet [default: print it]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl New {
    pub(super) fn run(self) -> Done {
        let file = ClusterFile::new(rand::random(), rand::random(), rand::random());
        let Some(path) = self.out else {
            hide_output()?;
            return output::bytes(file.to_text().as_bytes());
        };
        file.save_new(&path)?;
        let cluster = file.cluster();
        output::line(format_args!("cluster {cluster}: its secret is in {}", path.display()))
    }
}

/// Where a shell has put our output into a file, that file becomes its owner's alone.
fn hide_output() -> io::Result<()> {
    let out = io::stdout();
    if FileType::from_raw_mode(fstat(&out)?.st_mode) == FileType::RegularFile {
        fchmod(&out, Mode::RUSR | Mode::WUSR)?;
    }
    Ok(())
}
