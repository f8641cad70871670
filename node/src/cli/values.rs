//! `kvs get`, `put` and `delete`: single keys.

use std::io::{self, Read as _};

use clap::Args;
use kvs_client::{Condition, PutOptions, Stored, Value};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::remote::Remote;
use super::{Done, Failure, output};
use crate::config::Environment;

/// Read a key.
///
/// Prints the value alone, byte for byte; with --json also its uuid and timestamp.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs get home/room/socks
  kvs get home/room/photo > photo.png")]
pub(super) struct Get {
    /// The key, such as home/room/socks
    key: String,

    /// Read an older version, as `kvs history` names it
    #[arg(long, value_name = "UUID")]
    revision: Option<Uuid>,

    #[command(flatten)]
    remote: Remote,
}

/// Write a key.
///
/// The value is JSON, unless --content-type says otherwise.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs put home/room/socks '[\"red\",\"blue\"]'
  kvs put home/room/plan @plan.json --ttl 12h
  curl -s https://example.org/cat.png | kvs put home/cat - --content-type image/png")]
pub(super) struct Put {
    /// The key, such as home/room/socks
    key: String,

    /// The value; - reads it from standard input, @FILE from a file
    #[arg(allow_hyphen_values = true)]
    value: String,

    /// Delete the value after this time, such as 90s or 12h
    #[arg(long, value_name = "DURATION")]
    ttl: Option<String>,

    /// Store the value as bytes of this type, such as text/plain
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// Write only over this version
    #[arg(long, value_name = "UUID", conflicts_with = "if_absent")]
    if_match: Option<Uuid>,

    /// Write only where no value is
    #[arg(long)]
    if_absent: bool,

    #[command(flatten)]
    remote: Remote,
}

/// Delete a key.
///
/// Older versions stay in its history for as long as the node keeps them.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs delete home/room/socks")]
pub(super) struct Delete {
    /// The key, such as home/room/socks
    key: String,

    /// Delete only this version
    #[arg(long, value_name = "UUID")]
    if_match: Option<Uuid>,

    #[command(flatten)]
    remote: Remote,
}

impl Get {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let stored = match self.revision {
            Some(uuid) => client.get_revision(&self.key, uuid).await?,
            None => client.get(&self.key).await?,
        };
        if self.remote.json { output::json(&stored) } else { print_value(&stored) }
    }
}

/// Text ends with a line break, so that a prompt follows on a line of its own; bytes end as they do.
fn print_value(stored: &Stored) -> Done {
    match &stored.value {
        Value::Json(text) => output::line(text),
        Value::Bytes { data, .. } => output::bytes(data),
    }
}

impl Put {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let bytes = read_value(&self.value)?;
        let value = match self.content_type {
            Some(content_type) => Value::bytes(content_type, bytes),
            None => json_value(bytes)?,
        };
        let condition = match (self.if_match, self.if_absent) {
            (Some(uuid), _) => Condition::Matches(uuid),
            (None, true) => Condition::Absent,
            (None, false) => Condition::Always,
        };
        let client = self.remote.client(environment)?;
        let options = PutOptions { ttl: self.ttl, condition };
        let written = client.put_with(&self.key, value, &options).await?;
        if self.remote.json { output::json(&written) } else { output::line(written.uuid) }
    }
}

impl Delete {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let condition = self.if_match.map_or(Condition::Always, Condition::Matches);
        Ok(client.delete_with(&self.key, condition).await?)
    }
}

/// The bytes that an argument stands for.
fn read_value(argument: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match argument.strip_prefix('@') {
        Some(file) => {
            let failed = |error| Failure::new(format!("cannot read {file}: {error}"));
            bytes = std::fs::read(file).map_err(failed)?;
        }
        None if argument == "-" => {
            io::stdin().lock().read_to_end(&mut bytes)?;
        }
        None => bytes.extend_from_slice(argument.as_bytes()),
    }
    Ok(bytes)
}

/// JSON text is sent as it is; the node would say the same of other text, but not how to put it.
fn json_value(bytes: Vec<u8>) -> Result<Value, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::new(format!(
            "the value is not JSON: {why}; a text has quotation marks of its own, as in '\"red\"', \
             and anything else a --content-type"
        ))
    };
    let text = String::from_utf8(bytes).map_err(|error| refused(&error))?;
    RawValue::from_string(text).map(Value::Json).map_err(|error| refused(&error))
}
