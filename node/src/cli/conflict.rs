//! `kvs conflict`: data directories that disagree.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use kvs_core::Key;
use serde_json::json;

use super::output::{self, Table};
use super::{Done, Failure};
use crate::conflict::{ConflictError, Planted, Side, plant, winner};
use crate::time::{SystemClock, WallClock as _};

/// How deep a value may be nested, as in a node with default limits.
const DEPTH: usize = 128;

/// Make data directories disagree about a key, to see the rule that decides.
///
/// It writes one key to each directory with the same timestamp and different uuids, as nodes do
/// that are written to in the same instant. Directories that are not there become those of new
/// nodes, the first one being the oldest, and all are of one cluster then. No node may run on them
/// meanwhile. Started with each other as `seed_nodes`, the nodes come to the same value: the latest,
/// of equals that of the node that joined first, of equals that of the greatest uuid.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs conflict node1/data node2/data --key home/room --value '\"mine\"' --value '\"yours\"'")]
pub(super) struct Conflict {
    /// The data directories
    #[arg(required = true, num_args = 2.., value_name = "DIR")]
    dirs: Vec<PathBuf>,

    /// The key
    #[arg(long, default_value = "conflict/key")]
    key: String,

    /// A value for each directory, as JSON [default: {"directory":1} and so on]
    #[arg(long = "value", value_name = "JSON")]
    values: Vec<String>,

    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

impl From<ConflictError> for Failure {
    fn from(error: ConflictError) -> Self {
        Self::of(&error)
    }
}

impl Conflict {
    pub(super) fn run(self) -> Done {
        let key = Key::client(&self.key)
            .map_err(|error| Failure::new(format!("{} is not a key: {error}", self.key)))?;
        let planted = plant(&key, &self.sides()?, SystemClock.now())?;
        if self.json { planted.iter().try_for_each(print_json) } else { print(&key, &planted) }
    }

    fn sides(&self) -> Result<Vec<Side>, Failure> {
        let given = self.values.len();
        if given > 0 && given != self.dirs.len() {
            let wanted = self.dirs.len();
            let reason = format!("{given} values for {wanted} directories; give one for each");
            return Err(Failure::because(reason, super::failure::USAGE));
        }
        let side = |(at, dir): (usize, &PathBuf)| {
            let value = self.values.get(at).cloned();
            let value = value.unwrap_or_else(|| format!("{{\"directory\":{}}}", at + 1));
            let checked = kvs_core::json::check(value.as_bytes(), DEPTH);
            checked.map_err(|error| Failure::new(format!("value {value}: {error}")))?;
            Ok(Side { dir: dir.clone(), value: Bytes::from(value) })
        };
        self.dirs.iter().enumerate().map(side).collect()
    }
}

fn print_json(planted: &Planted) -> Done {
    let Planted { dir, node, version } = planted;
    output::json(&json!({
        "directory": dir,
        "node": node,
        "joined": version.origin.joined,
        "uuid": version.uuid,
        "timestamp": version.stamp.millis(),
    }))
}

fn print(key: &Key, planted: &[Planted]) -> Done {
    let mut table = Table::new(["DIRECTORY", "NODE", "JOINED", "UUID", "TIMESTAMP"]);
    for Planted { dir, node, version } in planted {
        table.row([
            dir.display().to_string(),
            node.to_string(),
            version.origin.joined.to_string(),
            version.uuid.to_string(),
            version.stamp.millis().to_string(),
        ]);
    }
    table.print()?;
    let winner = winner(planted).map_or_else(String::new, |it| it.dir.display().to_string());
    output::line(format_args!("All nodes will hold what {winner} has at {key} once they have met."))
}
