//! The crate's claims, tested through its public functions.

mod default_file;
mod layers;
mod listing;
mod quantities;
mod ranges;
mod refusals;

use std::path::Path;

use crate::{ConfigError, Effective, load};

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn owned(pairs: Pairs<'_>) -> impl Iterator<Item = (String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
}

fn layered(file: &str, env: Pairs<'_>, flags: Pairs<'_>) -> Result<Effective, ConfigError> {
    load(Some((Path::new("config.yaml"), file)), owned(env), owned(flags))
}

fn from_file(text: &str) -> Result<Effective, ConfigError> {
    layered(text, &[], &[])
}

/// All messages of a configuration that must not load.
fn refused(file: &str, env: Pairs<'_>, flags: Pairs<'_>) -> String {
    layered(file, env, flags).expect_err("this must not load").to_string()
}
