//! Settings as pairs of a name and a text: the environment and the command line.

use super::{Assignment, Origin, PREFIX, flag, problem, resolve};
use crate::{error::Problem, value::Raw};

/// Takes the variables that begin with `KVS__`; all others are somebody else's.
pub(crate) fn from_environment(
    variables: impl Iterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) -> Vec<Assignment> {
    let ours = variables.filter(|(name, _)| name.starts_with(PREFIX));
    let named = ours.map(|(name, text)| (path_of_variable(&name), Origin::Environment(name), text));
    collect(named, problems)
}

/// Takes flags by the setting's name, with `-` or `_` and with or without leading dashes.
pub(crate) fn from_flags(
    flags: impl Iterator<Item = (String, String)>,
    problems: &mut Vec<Problem>,
) -> Vec<Assignment> {
    let named = flags.map(|(name, text)| {
        let path = name.trim_start_matches('-').replace('-', "_");
        let origin = Origin::Flag(flag(&path));
        (path, origin, text)
    });
    collect(named, problems)
}

/// `KVS__TLS__CERT_FILE` is `tls.cert_file`.
fn path_of_variable(name: &str) -> String {
    name[PREFIX.len()..].to_lowercase().replace("__", ".")
}

fn collect(
    named: impl Iterator<Item = (String, Origin, String)>,
    problems: &mut Vec<Problem>,
) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    for (path, origin, text) in named {
        match resolve(&path, &origin) {
            Ok(field) => assignments.push(Assignment { field, raw: raw(text), origin }),
            Err(reason) => problems.push(problem(origin, &path, reason)),
        }
    }
    assignments
}

/// An empty text is the only way to say "none" where there is no YAML.
fn raw(text: String) -> Raw {
    if text.is_empty() { Raw::Nothing } else { Raw::Text(text) }
}
