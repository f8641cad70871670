//! Settings as options of the command line: one for each, from the table of settings.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use serde_json::Value;

/// Settings that were given as options: names and values, in the order of the settings.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingFlags(pub(super) Vec<(String, String)>);

/// A setting as the schema tells it.
struct Described {
    path: String,
    text: String,
}

fn described() -> Vec<Described> {
    let mut all = Vec::new();
    collect(&kvs_config::schema(), "", &mut all);
    all
}

fn collect(schema: &Value, group: &str, into: &mut Vec<Described>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let path = format!("{group}{name}");
        if property.get("properties").is_some() {
            collect(property, &format!("{path}."), into);
        } else {
            let text = property.get("description").and_then(Value::as_str).unwrap_or_default();
            into.push(Described { path, text: text.to_owned() });
        }
    }
}

fn argument(described: Described) -> Arg {
    Arg::new(described.path.clone())
        .long(described.path.replace('_', "-"))
        .help(described.text)
        .value_name("VALUE")
        .action(ArgAction::Set)
        .help_heading("Settings, each instead of the file's")
        .hide_short_help(true)
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        command.args(described().into_iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |described: Described| {
            let value = matches.get_one::<String>(&described.path)?.clone();
            Some((described.path, value))
        };
        Ok(Self(described().into_iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
