//! `kvs clock`: what a wrong clock left behind.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::flags::SettingFlags;
use super::stopped::Stopped;
use super::{Done, Failure, output};
use crate::config::Environment;
use crate::digest;
use crate::restamp::{Restamped, restamp};
use crate::time::{SystemClock, WallClock as _};

/// Mend what a node wrote while its clock was wrong.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs clock repair node2")]
pub(super) struct Clock {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Repair(Repair),
}

/// Give what a stopped node wrote in the future the present as its time.
///
/// Other nodes refuse what is stamped more than `max_clock_drift` ahead of their clocks. Once the
/// machine's clock is right, this stamps the node's own versions that lie so far ahead with the
/// present, in their order; when it starts, the others take them. What other nodes wrote is left
/// alone. Set the clock right first: it is what this goes by.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs stop node2
  kvs clock repair node2
  kvs start node2")]
struct Repair {
    /// The node's configuration file; its .yaml may be left out [default: config.yaml]
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: SettingFlags,
}

impl Clock {
    pub(super) fn run(self, environment: Environment) -> Done {
        match self.action {
            Action::Repair(repair) => repair.run(environment),
        }
    }
}

impl Repair {
    fn run(self, environment: Environment) -> Done {
        let stopped = Stopped::open(self.config.as_deref(), environment, self.settings)?;
        let Stopped { settings, store, .. } = &stopped;
        let dir = &settings.data_dir;
        digest::remove_saved(dir);
        let done = restamp(store, dir, SystemClock.now(), settings.max_clock_drift.into());
        output::line(said(done.map_err(|error| Failure::of(&error))?))
    }
}

fn said(Restamped { own, foreign }: Restamped) -> String {
    let own = match own {
        0 => "nothing that this node wrote lies ahead".to_owned(),
        1 => "1 key that this node wrote ahead is of now".to_owned(),
        own => format!("{own} keys that this node wrote ahead are of now, in their order"),
    };
    match foreign {
        0 => own,
        foreign => format!("{own}; {foreign} that other nodes wrote lie ahead and are left alone"),
    }
}
