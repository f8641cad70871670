//! `kvs reset-identity`: a copied data directory becomes another node's.

use std::path::PathBuf;

use clap::Args;
use kvs_core::Stamp;

use super::flags::SettingFlags;
use super::stopped::{Stopped, confirm};
use super::{Done, Failure, output};
use crate::config::Environment;
use crate::local;
use crate::replication::rescue;
use crate::time::{SystemClock, WallClock as _};

/// Have a stopped node begin anew: as another, empty node of its cluster.
///
/// For a data directory that is a copy of another node's, where both would run under one id; for one
/// of a node that left or was forgotten. When the node starts it has a new id, joins through its
/// `seed_nodes`, and takes over all data from the others. What it alone may have is put into a file
/// `rescue-TIME.ndjson` in the data directory first, which `kvs import` reads.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs stop node2
  kvs reset-identity node2
  kvs start node2")]
pub(super) struct ResetIdentity {
    /// The node's configuration file; its .yaml may be left out [default: config.yaml]
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,

    /// Do not ask whether to go on
    #[arg(long, short)]
    yes: bool,

    #[command(flatten)]
    settings: SettingFlags,
}

impl ResetIdentity {
    pub(super) fn run(self, environment: Environment) -> Done {
        let stopped = Stopped::open(self.config.as_deref(), environment, self.settings)?;
        let Stopped { settings, store, .. } = &stopped;
        let dir = settings.data_dir.display();
        if settings.seed_nodes.is_empty() {
            return Err(Failure::new(
                "the configuration has no `seed_nodes`: emptied, this node would found a cluster of \
                 its own; name a node of its cluster there first",
            ));
        }
        let what = format!("{dir} will be emptied when its node starts.");
        confirm(self.yes, &what)?;
        let held: Stamp = local::cluster::read(store)?.agreement.held;
        let rescued = rescue::write(store, &settings.data_dir, held, SystemClock.now());
        let rescued = rescued.map_err(|error| Failure::of(&error))?;
        local::mark_for_emptying(store, true)?;
        if let Some((path, keys)) = rescued {
            let path = path.display();
            output::line(format_args!(
                "{keys} keys that this node alone may have are in {path}; `kvs import` takes them back"
            ))?;
        }
        output::line(format_args!("{dir} is another node's from its next start on, and empty"))
    }
}
