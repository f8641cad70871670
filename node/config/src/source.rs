//! Where values come from: a file, the environment, flags. Each gives a list of assignments.

mod file;
mod pairs;

use std::fmt;

use crate::{
    error::{Problem, Reason},
    field::{self, Field},
    nearest::nearest,
    renamed,
    value::Raw,
};

pub(crate) use self::{
    file::assignments as from_file,
    pairs::{from_environment, from_flags},
};

/// Where an effective value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the configuration file.
    File {
        /// The file's name as it was given.
        name: String,
        /// Counted from 1.
        line: u64,
    },
    /// An environment variable, by its name.
    Environment(String),
    /// A flag of the command line, with its dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::File { name, line } => write!(out, "{name}:{line}"),
            Self::Environment(name) | Self::Flag(name) => out.write_str(name),
        }
    }
}

impl Origin {
    /// Whether this is how the setting is written; variables are in upper case only.
    fn spells(&self, path: &str) -> bool {
        !matches!(self, Self::Environment(name) if *name != variable(path))
    }

    /// How a setting is written in a source of this kind.
    fn name(&self, path: &str) -> String {
        match self {
            Self::Environment(_) => variable(path),
            Self::Flag(_) => flag(path),
            Self::Default | Self::File { .. } => match path.split_once('.') {
                Some((group, name)) => format!("{name} under {group}"),
                None => path.to_owned(),
            },
        }
    }

    /// How a setting is given a value in a source of this kind.
    fn assign(&self, path: &str, value: &str) -> String {
        match (self, path.split_once('.')) {
            (Self::Environment(_), _) => format!("{}={value}", variable(path)),
            (Self::Flag(_), _) => format!("{} {value}", flag(path)),
            (_, Some((group, name))) => format!("{name}: {value} under {group}"),
            (_, None) => format!("{path}: {value}"),
        }
    }
}

/// One value for one setting, from one place.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) field: &'static Field,
    pub(crate) raw: Raw,
    pub(crate) origin: Origin,
}

/// Two underscores, since Kubernetes itself sets `KVS_PORT` for a Service named kvs.
const PREFIX: &str = "KVS__";

fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

fn flag(path: &str) -> String {
    format!("--{}", path.replace('_', "-"))
}

/// Finds the setting that `path` names, or says what is wrong with the name.
fn resolve(path: &str, origin: &Origin) -> Result<&'static Field, Reason> {
    let found = field::find(path).filter(|field| origin.spells(field.path));
    found.ok_or_else(|| refuse(path, origin))
}

fn refuse(path: &str, origin: &Origin) -> Reason {
    if field::is_group(path) {
        return group(path, origin);
    }
    let renamed = renamed::refusal(path, |path, value| origin.assign(path, value));
    let nearest = || nearest(path).map(|path| origin.name(path));
    renamed.unwrap_or_else(|| Reason::Unknown { nearest: nearest() })
}

/// What to write where a value was given to a whole group.
fn group(name: &str, origin: &Origin) -> Reason {
    let names: Vec<_> = field::of_group(name).map(|field| origin.name(field.path)).collect();
    Reason::Group(names.join(", "))
}

fn problem(origin: Origin, name: &str, reason: Reason) -> Problem {
    Problem { origin, name: name.to_owned(), reason }
}
