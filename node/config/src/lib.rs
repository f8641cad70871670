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
mod network;
mod seed;
mod size;

mod choice;
mod error;
mod field;
mod value;

mod issuer;
mod settings;

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
    choice::{ClientName, Durability, LogFormat, LogLevel},
    default_file::default_file,
    duration::Duration,
    error::{ConfigError, Problem, Reason},
    issuer::{AddressError, OidcIssuer, check_address},
    listing::effective_listing,
    load::{Effective, Files, load},
    network::{Network, NetworkError},
    quantity::QuantityError,
    reload::{Changes, diff, may_be_live, reloadable},
    schedule::{Schedule, ScheduleError},
    schema::schema,
    seed::{PEER_PORT_OFFSET, Seed, SeedError},
    settings::{BackupS3, Kubernetes, Limits, PeerTls, Settings, Tls},
    size::Size,
    source::Origin,
};
