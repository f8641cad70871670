//! `kvs config`: what is in force, and where it came from.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use kvs_config::{Effective, effective_listing};

use super::flags::SettingFlags;
use super::{Done, output};
use crate::config::{DEFAULT_FILE, Environment, LoadError, Sources, existing};

/// Show the settings in force, each with where it came from.
///
/// Values come from the file, variables such as `KVS__PORT` or `KVS__LIMITS__VALUE_SIZE`, and options
/// (all are listed by --help); the later count more. Without a file these are the defaults.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  kvs config                     with config.yaml of this folder, if it is there
  kvs config check node1.yaml    exit code 64 and the reasons if it is wrong
  kvs config default > new.yaml"
)]
pub(super) struct Config {
    #[command(subcommand)]
    action: Option<Action>,

    /// The configuration file; its .yaml may be left out [default: config.yaml]
    #[arg(value_name = "CONFIG")]
    file: Option<PathBuf>,

    /// Print JSON: a list of names, values and origins
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    settings: SettingFlags,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the JSON schema of the configuration file, for editors
    Schema,
    /// Print a configuration file with every setting, its meaning and its default
    Default,
    /// Check a configuration without starting anything
    Check {
        /// The configuration file; its .yaml may be left out
        file: PathBuf,
    },
}

impl Config {
    pub(super) fn run(self, environment: Environment) -> Done {
        match &self.action {
            Some(Action::Schema) => output::json(&kvs_config::schema()),
            Some(Action::Default) => output::bytes(kvs_config::default_file().as_bytes()),
            Some(Action::Check { file }) => check(file, environment),
            None => self.show(environment),
        }
    }

    fn show(self, environment: Environment) -> Done {
        let effective = sources(self.file.as_deref(), environment, self.settings.0)?.load()?;
        let listing = effective_listing(&effective);
        if self.json { output::json(&listing.to_json()) } else { output::line(listing) }
    }
}

/// The sources of the settings in force, where none need be there: no file then means the defaults.
pub(super) fn sources(
    named: Option<&Path>,
    environment: Environment,
    flags: Vec<(String, String)>,
) -> Result<Sources, LoadError> {
    let file = match named {
        Some(named) => Some(named_file(named)?),
        None => existing(Path::new(DEFAULT_FILE)),
    };
    Ok(Sources { file, environment, flags, live: None })
}

fn named_file(named: &Path) -> Result<PathBuf, LoadError> {
    existing(named).ok_or_else(|| LoadError::Absent(named.to_owned()))
}

fn check(file: &Path, environment: Environment) -> Done {
    let file = named_file(file)?;
    let sources = Sources { file: Some(file.clone()), environment, ..Sources::default() };
    let _: Effective = sources.load()?;
    output::line(format_args!("{} is fine", file.display()))
}
