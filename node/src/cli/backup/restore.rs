//! `kvs backup restore`.

use std::path::PathBuf;

use clap::Args;
use kvs_client::ClusterFile;
use kvs_config::Settings;
use serde_json::json;

use super::place::Place;
use crate::backup::{self, Progress, RestoreOrder, Restored};
use crate::cli::{Done, output, progress, time};
use crate::time::{SystemClock, WallClock as _};

/// Make the data directory of a new node of a backup; no node is needed.
///
/// The node has a new identity and is the first member of its cluster: start it before the others.
/// Others join it empty, through `seed_nodes` and with the same cluster file, and take over the data.
#[derive(Debug, Args)]
#[command(after_help = "\
The S3 of s3://… is found by AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY.

Example:
  kvs backup restore backups/kvs-0123456789ab-20261123T030000000Z.tar.zst --data-dir data")]
pub(super) struct Restore {
    /// The backup: NAME.tar.zst with NAME.manifest.json beside it, or `s3://bucket/prefix/NAME.tar.zst`
    #[arg(value_name = "FILE")]
    backup: String,

    /// The new node's data directory: empty, or not there
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,

    /// File of the cluster that the backup is of; left out, a new cluster is made of it
    #[arg(long, value_name = "FILE")]
    cluster: Option<PathBuf>,

    /// Display name of the new node [default: host name]
    #[arg(long, value_name = "NAME")]
    node_id: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(super) fn run(self) -> Done {
        let cluster = self.cluster.as_deref().map(ClusterFile::load).transpose()?;
        let place = Place::of(&self.backup, &Settings::default())?;
        let progress = Progress::default();
        let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        let node_name = self.node_id.clone().unwrap_or_else(host);
        let order = RestoreOrder {
            shelf: &*place.shelf,
            name: &place.name,
            data_dir: &self.data_dir,
            cluster,
            node_name: &node_name,
            now: SystemClock.now(),
        };
        let restored = progress::during(&progress, || backup::restore(&order, &progress))?;
        if self.json { print_json(&restored) } else { self.print(&restored) }
    }

    fn print(&self, restored: &Restored) -> Done {
        let (records, at) = (restored.manifest.records, time::utc(restored.manifest.created));
        let (dir, node, cluster) = (self.data_dir.display(), restored.node, restored.cluster);
        output::line(format_args!("{dir} has {records} records as of {at}"))?;
        let kind = if restored.new_cluster { "new cluster" } else { "cluster" };
        output::line(format_args!("its node is {node}, the first of {kind} {cluster}"))?;
        output::line(format_args!(
            "start it before the others; they join it empty, with {dir}/cluster.kvs"
        ))
    }
}

fn print_json(restored: &Restored) -> Done {
    output::json(&json!({
        "node": restored.node,
        "cluster": restored.cluster,
        "new_cluster": restored.new_cluster,
        "records": restored.records,
        "backup": restored.manifest,
    }))
}
