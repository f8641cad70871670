//! What can be wrong with a configuration, in words that say what to write instead.

use std::fmt;

use crate::{quantity::QuantityError, source::Origin};

/// Everything that is wrong with a configuration, one problem a line.
///
/// Nothing was loaded: a configuration is taken whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

/// One thing that is wrong, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the value came from.
    pub origin: Origin,
    /// The setting's name as it was written; empty where the file as a whole is unreadable.
    pub name: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a setting. The messages begin with the value where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The file is not YAML, or not a mapping of settings.
    #[error("{0}")]
    Unreadable(String),
    /// No setting has this name.
    #[error("there is no such setting{}", did_you_mean(nearest.as_deref()))]
    Unknown {
        /// The setting that was probably meant, written as this source writes it.
        nearest: Option<String>,
    },
    /// The first KVS had a setting of this name.
    #[error("this was renamed: write {0}")]
    Renamed(String),
    /// The first KVS had such a setting, and nothing corresponds to it.
    #[error("this no longer exists: {0}")]
    Gone(&'static str),
    /// Written twice in one place.
    #[error("this is set twice: the first time on line {first}")]
    Twice {
        /// Line of the first one.
        first: u64,
    },
    /// A name without a value, for a setting that needs one.
    #[error("this has no value: give one, or leave it out for the default")]
    NoValue,
    /// A list or mapping for a setting that takes one value.
    #[error("this takes one value, not a list or a group")]
    NotOneValue,
    /// A mapping for a setting that takes a list.
    #[error("this takes a list, such as [a, b]")]
    NotAList,
    /// Something else for a setting that takes a list of mappings.
    #[error("this takes a list of mappings, such as [{{name: value}}]")]
    NotRows,
    /// A value where settings were expected.
    #[error("this is a group of settings: {0}")]
    Group(String),
    /// Not a duration or size.
    #[error(transparent)]
    Quantity(#[from] QuantityError),
    /// Not a number, address or word of those allowed.
    #[error("{value} is not {form}")]
    Malformed {
        /// What was given.
        value: String,
        /// What was wanted.
        form: String,
    },
    /// Understood, but outside what is allowed.
    #[error("{value} is out of range: {allowed} is allowed{}", or_none(*optional))]
    OutOfRange {
        /// What was given.
        value: String,
        /// The range, both ends included.
        allowed: String,
        /// Whether leaving the setting out means "none".
        optional: bool,
    },
    /// In the live file, and not of those that may be there.
    #[error("this needs a restart, and belongs into the configuration file; the live file has {0}")]
    NotLive(String),
    /// At odds with another setting.
    #[error("{value} is refused: {why}")]
    AtOdds {
        /// What was given.
        value: String,
        /// The rule and the other setting's value.
        why: String,
    },
}

impl Reason {
    pub(crate) fn not_a(noun: &str, value: &str, detail: Option<String>) -> Self {
        let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
        Self::Malformed { value: shown(value), form: format!("a {noun}{detail}") }
    }

    pub(crate) fn not_a_choice(value: &str, choices: &[&str]) -> Self {
        Self::Malformed { value: shown(value), form: format!("one of {}", choices.join(", ")) }
    }

    /// The same, for a setting that may be absent.
    pub(crate) fn or_none(self) -> Self {
        match self {
            Self::OutOfRange { value, allowed, .. } => {
                Self::OutOfRange { value, allowed, optional: true }
            }
            other => other,
        }
    }
}

/// An empty text would leave a hole in the sentence.
fn shown(value: &str) -> String {
    if value.is_empty() { "\"\"".to_owned() } else { value.to_owned() }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean {nearest}?"),
        None => "; `kvs config schema` lists them all".to_owned(),
    }
}

const fn or_none(optional: bool) -> &'static str {
    if optional { ", or leave it out for none" } else { "" }
}

impl ConfigError {
    /// `Err` with all problems, if there are any.
    pub(crate) fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// What is wrong, in the order file, environment, flags; never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.problems.iter().map(ToString::to_string).collect();
        out.write_str(&lines.join("\n"))
    }
}

/// A variable or flag names the setting already; a line of a file does not.
impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { .. } | Origin::Default if !self.name.is_empty() => {
                write!(out, "{}: {}: {}", self.origin, self.name, self.reason)
            }
            origin => write!(out, "{origin}: {}", self.reason),
        }
    }
}
