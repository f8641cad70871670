//! The crate's claims, tested through its public functions.

mod default_file;
mod layers;
mod listing;
mod quantities;
mod ranges;
mod refusals;

use std::path::Path;

use crate::{ConfigError, Effective, Files, load};

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn owned(pairs: Pairs<'_>) -> impl Iterator<Item = (String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
}

fn layered(file: &str, env: Pairs<'_>, flags: Pairs<'_>) -> Result<Effective, ConfigError> {
    let files = Files { main: Some((Path::new("config.yaml"), file)), live: None };
    load(files, owned(env), owned(flags))
}

/// A configuration file, and a live one beside it.
fn with_live(main: &str, live: &str, env: Pairs<'_>) -> Result<Effective, ConfigError> {
    let main = Some((Path::new("config.yaml"), main));
    load(Files { main, live: Some((Path::new("live.yaml"), live)) }, owned(env), owned(&[]))
}

fn from_file(text: &str) -> Result<Effective, ConfigError> {
    layered(text, &[], &[])
}

/// All messages of a configuration that must not load.
fn refused(file: &str, env: Pairs<'_>, flags: Pairs<'_>) -> String {
    layered(file, env, flags).expect_err("this must not load").to_string()
}
