//! The settings of a KVS node: their names, defaults, ranges, and where each value came from.
//!
//! Everything here is a function of its arguments. The text of the file, the environment and
//! the flags are passed in; reading them, and asking the machine for its host name, is the
//! caller's work.
//!
//! One table, [`settings`](Settings), drives the loader, the default file, the schema and the
//! listing, so that none of them can know a setting that the others do not.

mod quantity;

mod backup;
mod duration;
mod seed;
mod size;

mod choice;
mod error;
mod field;
mod value;

mod settings;

mod availability;
mod check;
mod nearest;
mod renamed;
mod source;

mod default_file;
mod listing;
mod load;
mod reload;
mod schedule;
mod schema;

#[cfg(test)]
mod tests;

pub use crate::{
    backup::{BackupTarget, TargetError, check_endpoint},
    choice::{Durability, LogFormat, LogLevel},
    default_file::default_file,
    duration::Duration,
    error::{ConfigError, Problem, Reason},
    listing::effective_listing,
    load::{Effective, load},
    quantity::QuantityError,
    reload::{Changes, diff, reloadable},
    schedule::{Schedule, ScheduleError},
    schema::schema,
    seed::{PEER_PORT_OFFSET, Seed, SeedError},
    settings::{BackupS3, Limits, PeerTls, Settings, Tls},
    size::Size,
    source::Origin,
};
