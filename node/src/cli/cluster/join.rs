//! `kvs cluster join`: puts a data directory into a cluster.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use kvs_client::ClusterFile;
use kvs_config::Settings;

use crate::cli::config::sources;
use crate::cli::flags::SettingFlags;
use crate::cli::stopped::options;
use crate::cli::{Done, Failure, output};
use crate::config::{Environment, cluster_file};
use crate::local;
use crate::store::{Column, DataLock, Read as _, RocksStore};
use crate::time::{SystemClock, WallClock as _};

/// What a data directory has that is no data.
const NO_DATA: [&str; 2] = ["kvs.lock", "cluster.kvs"];

/// Let a stopped node that has no data join a cluster.
///
/// A node that ran alone has made a cluster of its own, and gives it up. The cluster file is copied to the node's data directory. When the node starts, it joins through
/// its `seed_nodes` and takes over all data from the others. A node that is in that cluster already
/// takes over the file, such as after `kvs cluster rotate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs stop node2
  kvs cluster join cluster.kvs node2
  kvs start node2")]
pub(super) struct Join {
    /// The cluster file
    file: PathBuf,

    /// The node's configuration file; its .yaml may be left out [default: config.yaml]
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: SettingFlags,
}

impl Join {
    pub(super) fn run(self, environment: Environment) -> Done {
        let file = ClusterFile::load(&self.file)?;
        let sources = sources(self.config.as_deref(), environment, self.settings.0)?;
        let settings = sources.load()?.settings;
        if names(&settings, &self.file)? {
            let path = self.file.display();
            return output::line(format_args!("the configuration names {path}: start the node"));
        }
        let _lock = DataLock::take(&settings.data_dir).map_err(|error| Failure::of(&error))?;
        let place = Place { dir: &settings.data_dir, file: cluster_file(&settings) };
        let found = place.check(&file, &settings)?;
        if found == Found::Alone {
            place.give_up(&settings)?;
        }
        file.save(&place.file)?;
        output::line(said(place.dir, &file, found))
    }
}

/// What a data directory is before it joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Of the cluster that it is to join.
    Member,
    /// Without a node, or with one that has nothing.
    Empty,
    /// A cluster of its own without any data.
    Alone,
}

fn said(dir: &Path, file: &ClusterFile, found: Found) -> String {
    let (dir, cluster) = (dir.display(), file.cluster());
    if found == Found::Member {
        return format!("{dir} is in cluster {cluster}, and has its file as it is now");
    }
    format!(
        "{dir} is in cluster {cluster} now; with a node of it among `seed_nodes`, it takes over \
         the data when it starts"
    )
}

/// Whether the settings name this file. If they name another, that one would be read, and a copy in
/// the data directory would not.
fn names(settings: &Settings, given: &Path) -> Result<bool, Failure> {
    let Some(named) = &settings.cluster_file else { return Ok(false) };
    if fs::canonicalize(named).is_ok_and(|named| fs::canonicalize(given).ok() == Some(named)) {
        return Ok(true);
    }
    let named = named.display();
    Err(Failure::new(format!(
        "the configuration names the cluster file {named}: put the new one there, or leave \
         `cluster_file` out"
    )))
}

/// A data directory and where its cluster file is.
struct Place<'a> {
    dir: &'a Path,
    file: PathBuf,
}

impl Place<'_> {
    /// What it is; unless it is in that cluster already, it must have no data.
    fn check(&self, file: &ClusterFile, settings: &Settings) -> Result<Found, Failure> {
        let own = self.file.exists().then(|| ClusterFile::load(&self.file)).transpose()?;
        match own {
            Some(own) if own.cluster() == file.cluster() => Ok(Found::Member),
            Some(_) if self.is_alone_and_empty(settings)? => Ok(Found::Alone),
            Some(_) if self.made_its_cluster(settings)? => Err(self.not_empty()),
            Some(own) => Err(self.of_another(&own, file)),
            None if self.has_data(settings)? => Err(self.not_empty()),
            None => Ok(Found::Empty),
        }
    }

    /// Whether its node made its cluster by itself and is all that is in it.
    fn is_alone_and_empty(&self, settings: &Settings) -> Result<bool, Failure> {
        Ok(self.made_its_cluster(settings)?
            && local::cluster::is_alone(&self.open(settings)?, SystemClock.now())?)
    }

    fn made_its_cluster(&self, settings: &Settings) -> Result<bool, Failure> {
        Ok(RocksStore::is_in(self.dir) && local::cluster::made_file(&self.open(settings)?)?)
    }

    /// Has the next start begin anew, without the cluster that it was.
    fn give_up(&self, settings: &Settings) -> Done {
        Ok(local::mark_for_joining(&self.open(settings)?)?)
    }

    fn open(&self, settings: &Settings) -> Result<RocksStore, Failure> {
        Ok(RocksStore::open(self.dir, &options(settings))?)
    }

    fn has_data(&self, settings: &Settings) -> Result<bool, Failure> {
        if self.is_new()? {
            return Ok(false);
        }
        Ok(self.open(settings)?.last(Column::Data)?.is_some())
    }

    /// Whether no node ever ran on it.
    fn is_new(&self) -> io::Result<bool> {
        for entry in fs::read_dir(self.dir)? {
            let name = entry?.file_name();
            if !NO_DATA.iter().any(|known| name == *known) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn not_empty(&self) -> Failure {
        let dir = self.dir.display();
        Failure::new(format!(
            "{dir} has data, and a node joins a cluster without any: to keep what is there, start \
             the node, `kvs export` it, stop it, remove {dir}, join, and `kvs import` it; else \
             remove {dir} and join again"
        ))
    }

    fn of_another(&self, own: &ClusterFile, file: &ClusterFile) -> Failure {
        let (dir, own, wanted) = (self.dir.display(), own.cluster(), file.cluster());
        Failure::new(format!(
            "{dir} is in cluster {own}, and the file is of cluster {wanted}: to give up what is \
             there, remove {dir} and join again; to keep it, choose another data_dir"
        ))
    }
}
