//! `kvs chmod` and `kvs chown`: who may do what with a key.

use std::collections::HashSet;

use clap::Args;
use futures_util::TryStreamExt as _;
use kvs_client::{Client, Field, Metadata, MetadataPatch, ModeSetting, TreeOptions};
use kvs_core::Mode;
use uuid::Uuid;

use super::remote::Remote;
use super::{Done, Failure, output};
use crate::config::Environment;

/// Set who may create, delete, write and read a key.
///
/// A mode is twelve letters: cdwr (create, delete, write, read) for the owner, the group and all
/// others, with - for what is not allowed; or the same as a number, such as 0xF31. It governs the
/// key and what is below it, up to keys with metadata of their own. A key that its owner never gave a
/// mode has cdwr--wr---r.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs chmod cdwr--wr---r home/room
  kvs chmod -R cdwr-------- home      also where keys below have a mode of their own")]
pub(super) struct Chmod {
    /// The mode, such as cdwr--wr---r or 0xF31
    #[arg(allow_hyphen_values = true, value_parser = mode)]
    mode: Mode,

    #[command(flatten)]
    subject: Subject,
}

/// Set the owner and the group of a key.
///
/// Both are names or uuids, of a user and of a group; - stands for nobody. A name is looked up, which
/// takes `admin:users:read` or `admin:groups:read`. An owner is changed with
/// `admin:resources:update` alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs chown alice home/room               the owner
  kvs chown :family home/room             the group
  kvs chown alice:family -R home/room     both, also of keys below
  kvs chown -:- home/room                 neither")]
pub(super) struct Chown {
    /// OWNER, OWNER:GROUP or :GROUP
    #[arg(allow_hyphen_values = true, value_parser = ownership)]
    owner: Ownership,

    #[command(flatten)]
    subject: Subject,
}

/// What is changed.
#[derive(Debug, Args)]
struct Subject {
    /// The key
    key: String,

    /// Also change each key below
    #[arg(short = 'R', long)]
    recursive: bool,

    #[command(flatten)]
    remote: Remote,
}

/// What to set of owner and group.
#[derive(Clone, Debug)]
struct Ownership {
    owner: Field<String>,
    group: Field<String>,
}

fn mode(text: &str) -> Result<Mode, String> {
    let number = text.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16));
    match number.or_else(|| text.parse().ok().map(Ok)) {
        Some(Ok(bits)) => Mode::from_bits(bits).map_err(|error| error.to_string()),
        Some(Err(error)) => Err(error.to_string()),
        None => text.parse::<Mode>().map_err(|error| error.to_string()),
    }
}

fn ownership(text: &str) -> Result<Ownership, String> {
    let (owner, group) = text.split_once(':').unwrap_or((text, ""));
    let ownership = Ownership { owner: named(owner), group: named(group) };
    if ownership.owner.is_keep() && ownership.group.is_keep() {
        return Err("give OWNER, OWNER:GROUP or :GROUP".to_owned());
    }
    Ok(ownership)
}

fn named(text: &str) -> Field<String> {
    match text {
        "" => Field::Keep,
        "-" => Field::Clear,
        text => Field::Set(text.to_owned()),
    }
}

impl Ownership {
    /// The same as ids: names are looked up.
    async fn ids(self, client: &Client) -> Result<(Field<Uuid>, Field<Uuid>), Failure> {
        let owner = match self.owner {
            Field::Keep => Field::Keep,
            Field::Clear => Field::Clear,
            Field::Set(name) => Field::Set(match name.parse() {
                Ok(id) => id,
                Err(_name) => client.user(&name).await?.id,
            }),
        };
        let group = match self.group {
            Field::Keep => Field::Keep,
            Field::Clear => Field::Clear,
            Field::Set(name) => Field::Set(match name.parse() {
                Ok(id) => id,
                Err(_name) => client.group(&name).await?.id,
            }),
        };
        Ok((owner, group))
    }
}

impl Chmod {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let mode = Some(ModeSetting::Bits(self.mode.bits()));
        self.subject.patch(environment, MetadataPatch { mode, ..MetadataPatch::default() }).await
    }
}

impl Chown {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let (owner, group) = self.owner.ids(&self.subject.remote.client(environment)?).await?;
        let patch = MetadataPatch { owner, group, ..MetadataPatch::default() };
        self.subject.patch(environment, patch).await
    }
}

impl Subject {
    async fn patch(self, environment: &Environment, patch: MetadataPatch) -> Done {
        let client = self.remote.client(environment)?;
        self.patch_one(&client, &self.key, &patch).await?;
        if !self.recursive {
            return Ok(());
        }
        let mut seen = HashSet::from([self.key.clone()]);
        let mut below = client.tree_all(&self.key, TreeOptions::default());
        while let Some(item) = below.try_next().await? {
            self.patch_between(&client, &item.key, &mut seen, &patch).await?;
            if seen.insert(item.key.clone()) {
                self.patch_one(&client, &item.key, &patch).await?;
            }
        }
        Ok(())
    }

    /// Sets what lies between this key and one below, where it has metadata of its own: all else
    /// there inherits.
    async fn patch_between(
        &self,
        client: &Client,
        below: &str,
        seen: &mut HashSet<String>,
        patch: &MetadataPatch,
    ) -> Done {
        let ends = below.match_indices('/').map(|(end, _)| &below[..end]);
        for key in ends.filter(|key| key.len() > self.key.len()) {
            if seen.insert(key.to_owned()) && has_own(client, key).await? {
                self.patch_one(client, key, patch).await?;
            }
        }
        Ok(())
    }

    async fn patch_one(&self, client: &Client, key: &str, patch: &MetadataPatch) -> Done {
        let refused = |error| match Failure::from(error) {
            Failure::Because { reason, code } => Failure::because(format!("{key}: {reason}"), code),
            other => other,
        };
        let metadata = client.patch_metadata(key, patch).await.map_err(refused)?;
        if self.remote.json { output::json(&metadata) } else { print(key, &metadata) }
    }
}

async fn has_own(client: &Client, key: &str) -> Result<bool, Failure> {
    Ok(client.metadata(key).await?.governed_by.as_deref() == Some(key))
}

fn print(key: &str, metadata: &Metadata) -> Done {
    let shown = |id: Option<Uuid>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    let (owner, group) = (shown(metadata.owner), shown(metadata.group));
    output::line(format_args!("{}  {owner}:{group}  {key}", metadata.mode.text))
}
