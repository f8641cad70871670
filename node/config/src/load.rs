//! From layers of text to settings: file, then environment, then flags; the last one counts.

use std::{collections::BTreeMap, path::Path};

use crate::{
    check,
    error::{ConfigError, Problem, Reason},
    quantity::QuantityError,
    reload, renamed,
    settings::Settings,
    source::{self, Assignment, Origin},
};

/// The settings in force, and where each came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    /// The values.
    pub settings: Settings,
    /// What was set by anyone; the rest are defaults.
    origins: BTreeMap<&'static str, Origin>,
}

impl Effective {
    /// Where the value of a setting came from, by its path, such as `limits.value_size`.
    pub fn origin(&self, path: &str) -> &Origin {
        self.origins.get(path).unwrap_or(&Origin::Default)
    }

    pub(crate) fn problem(&self, path: &str, reason: Reason) -> Problem {
        Problem { origin: self.origin(path).clone(), name: path.to_owned(), reason }
    }

    /// Takes a value over, or says why not.
    fn apply(&mut self, assignment: Assignment) -> Option<Problem> {
        let Assignment { field, raw, origin } = assignment;
        if let Err(reason) = (field.set)(&mut self.settings, &raw) {
            let reason = with_old_unit(field.path, reason);
            return Some(Problem { origin, name: field.path.to_owned(), reason });
        }
        self.origins.insert(field.path, origin);
        None
    }
}

/// A bare number probably comes from a file of the first KVS: propose the unit it had there.
fn with_old_unit(path: &str, reason: Reason) -> Reason {
    match (renamed::unit_of_bare_number(path), reason) {
        (Some(unit), Reason::Quantity(QuantityError::NoUnit { text, units, .. })) => {
            let write = format!("{text}{unit}");
            Reason::Quantity(QuantityError::NoUnit { text, units, write })
        }
        (_, reason) => reason,
    }
}

/// The texts of files, each with the name to use in errors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a> {
    /// The configuration file.
    pub main: Option<(&'a Path, &'a str)>,
    /// A second one that counts more, with such settings as [`may_be_live`](crate::may_be_live).
    pub live: Option<(&'a Path, &'a str)>,
}

impl Files<'_> {
    fn assignments(self, problems: &mut Vec<Problem>) -> Vec<Assignment> {
        let mut read = |file: Option<(&Path, &str)>| {
            file.map(|(name, text)| source::from_file(name, text, problems))
        };
        let (main, live) =
            (read(self.main).unwrap_or_default(), read(self.live).unwrap_or_default());
        let (live, misplaced): (Vec<_>, Vec<_>) =
            live.into_iter().partition(|one| reload::may_be_live(one.field.path));
        problems.extend(misplaced.into_iter().map(|Assignment { field, origin, .. }| Problem {
            origin,
            name: field.path.to_owned(),
            reason: Reason::NotLive(reload::live()),
        }));
        main.into_iter().chain(live).collect()
    }
}

/// Makes the effective settings from the texts of files, the variables of the environment, and flags
/// as pairs of a setting's name and a text.
///
/// Variables count if they begin with `KVS__`; the rest of the name is the setting's in upper
/// case, with `__` between group and name. Flags are named like settings, `limits.value_size`.
/// A list in a variable or flag has commas between its items, and an empty text means none.
///
/// # Errors
///
/// Everything that is wrong, all layers at once: names that are unknown or were renamed, values
/// that are malformed or out of range. Values that a later layer overrides must be right, too.
pub fn load(
    files: Files<'_>,
    environment: impl Iterator<Item = (String, String)>,
    flags: impl Iterator<Item = (String, String)>,
) -> Result<Effective, ConfigError> {
    let mut problems = Vec::new();
    let mut effective = Effective::default();
    let in_files = files.assignments(&mut problems);
    let in_environment = source::from_environment(environment, &mut problems);
    let in_flags = source::from_flags(flags, &mut problems);
    let layers = in_files.into_iter().chain(in_environment).chain(in_flags);
    problems.extend(layers.filter_map(|assignment| effective.apply(assignment)));
    // Rules between settings would misread values that were not taken over.
    if problems.is_empty() {
        problems.extend(check::refusals(&effective));
    }
    ConfigError::unless_empty(problems).map(|()| effective)
}
