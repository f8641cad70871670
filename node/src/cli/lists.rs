//! `kvs ls` and `kvs tree`: what is below a prefix.

use clap::Args;
use futures_util::TryStreamExt as _;
use kvs_client::{ListItem, ListOptions, TreeItem, TreeOptions, Value};

use super::output::Table;
use super::remote::Remote;
use super::{Done, output, time};
use crate::config::Environment;

/// How much of a value a tree shows, in characters.
const EXCERPT: usize = 60;

/// List the direct children of a key.
///
/// A name that ends with a slash has keys below it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs ls                  the first segments of all keys
  kvs ls home/room -l     with sizes, times and versions")]
pub(super) struct Ls {
    /// The key above; none for the root
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,

    /// Also show size, type, when written, when it expires, and the version
    #[arg(short, long)]
    long: bool,

    #[command(flatten)]
    remote: Remote,
}

/// Show everything below a key, with its values.
///
/// With --json it prints a line for each key: its value, uuid and timestamp.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs tree home
  kvs tree iso --depth 2")]
pub(super) struct Tree {
    /// The key above; none for the root
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,

    /// How many segments below the key at most
    #[arg(long, value_name = "SEGMENTS")]
    depth: Option<u32>,

    #[command(flatten)]
    remote: Remote,
}

impl Ls {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let options = ListOptions { metadata: self.long, ..ListOptions::default() };
        let mut items = client.ls_all(&self.prefix, options);
        if self.long && !self.remote.json {
            return long(items.try_collect().await?);
        }
        while let Some(item) = items.try_next().await? {
            if self.remote.json { output::json(&item)? } else { output::line(name(&item))? }
        }
        Ok(())
    }
}

fn name(item: &ListItem) -> String {
    format!("{}{}", item.name, if item.children { "/" } else { "" })
}

fn long(items: Vec<ListItem>) -> Done {
    let mut table = Table::new(["SIZE", "WRITTEN", "EXPIRES", "TYPE", "VERSION", "NAME"]);
    for item in items {
        let name = name(&item);
        let none = || "-".to_owned();
        table.row(match item.metadata {
            None => [none(), none(), none(), none(), none(), name],
            Some(metadata) => [
                metadata.size.to_string(),
                time::utc(metadata.timestamp),
                metadata.expires.map_or_else(none, time::utc),
                metadata.content_type,
                metadata.uuid.to_string(),
                name,
            ],
        });
    }
    table.print()
}

impl Tree {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let options = TreeOptions { depth: self.depth, ..TreeOptions::default() };
        let mut items = client.tree_all(&self.prefix, options);
        let mut shown = Vec::new();
        while let Some(item) = items.try_next().await? {
            if self.remote.json { output::json(&item)? } else { branch(&mut shown, &item)? }
        }
        Ok(())
    }
}

/// Prints a key below those shown before it: the segments that it shares with the last one once.
fn branch(shown: &mut Vec<String>, item: &TreeItem) -> Done {
    let segments: Vec<String> = item.key.split('/').map(str::to_owned).collect();
    let shared = shown.iter().zip(&segments).take_while(|(left, right)| left == right).count();
    let last = segments.len() - 1;
    for (depth, segment) in segments.iter().enumerate().skip(shared.min(last)) {
        let indent = "  ".repeat(depth);
        let value = (depth == last).then(|| format!("  {}", excerpt(&item.value)));
        output::line(format_args!("{indent}{segment}{}", value.unwrap_or_default()))?;
    }
    *shown = segments;
    Ok(())
}

fn excerpt(value: &Value) -> String {
    match value {
        Value::Bytes { content_type, data } => format!("<{} bytes, {content_type}>", data.len()),
        Value::Json(text) => {
            let text = kvs_core::json::compact(text.get());
            let start: String = text.chars().take(EXCERPT).collect();
            if start.len() < text.len() { format!("{start}…") } else { start }
        }
    }
}
