//! `kvs export`: every key below a prefix, one a line.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use futures_util::TryStreamExt as _;
use kvs_client::TreeOptions;

use super::remote::Remote;
use super::{Done, Failure, output, progress, record};
use crate::config::Environment;

/// Write all keys below a key as NDJSON, in their order.
///
/// A line is an object of `key`, `uuid`, `timestamp` and `data`; bytes that are not JSON have
/// `content_type` and `data_base64` instead of `data`, and what expires has `expires`, in Unix
/// milliseconds. JSON is written byte for byte, but without white space if it has line breaks.
/// `kvs import` reads it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs export -o all.ndjson
  kvs export home | jq -r .key")]
pub(super) struct Export {
    /// The key above; none for everything
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,

    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    remote: Remote,
}

impl Export {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let mut out = self.open()?;
        let bar = progress::count();
        let mut items = client.tree_all(&self.prefix, TreeOptions::default());
        while let Some(item) = items.try_next().await? {
            serde_json::to_writer(&mut out, &record::line(item))
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n"))?;
            bar.inc(1);
        }
        out.flush()?;
        bar.finish_and_clear();
        self.report(bar.position())
    }

    fn open(&self) -> Result<Box<dyn Write>, Failure> {
        Ok(match &self.output {
            None => Box::new(BufWriter::new(io::stdout().lock())),
            Some(path) => Box::new(BufWriter::new(create(path)?)),
        })
    }

    /// What was exported is on standard output already, unless it went to a file.
    fn report(&self, keys: u64) -> Done {
        match &self.output {
            None => Ok(()),
            Some(_) if self.remote.json => output::json(&serde_json::json!({ "exported": keys })),
            Some(path) => output::line(format_args!("exported {keys} keys to {}", path.display())),
        }
    }
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}
