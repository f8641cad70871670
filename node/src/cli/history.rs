//! `kvs history` and `kvs restore`: older versions.

use clap::Args;
use futures_util::stream::{self, TryStreamExt as _};
use kvs_client::{Client, ClientError, Page, PageOptions, Revision, RevisionOp, Superseded};
use uuid::Uuid;

use super::output::Table;
use super::remote::Remote;
use super::{Done, output, time};
use crate::config::Environment;

/// List the versions of a key that the node still has, newest first.
///
/// It shows why each older one was superseded.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs history home/room/socks")]
pub(super) struct History {
    /// The key, such as home/room/socks
    key: String,

    #[command(flatten)]
    remote: Remote,
}

/// Write an older version back, as a new one.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs restore home/room/socks 0190b6f2-4c1e-4c7e-9d0a-0a8a3c1f2b11")]
pub(super) struct Restore {
    /// The key, such as home/room/socks
    key: String,

    /// The version, as `kvs history` names it
    uuid: Uuid,

    #[command(flatten)]
    remote: Remote,
}

impl History {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let revisions = all(&client, &self.key).await?;
        if self.remote.json {
            return revisions.iter().try_for_each(output::json);
        }
        let mut table = Table::new(["WRITTEN", "VERSION", "WHAT", "SIZE", "TYPE", "SUPERSEDED"]);
        for revision in revisions {
            table.row(cells(revision));
        }
        table.print()
    }
}

async fn all(client: &Client, key: &str) -> Result<Vec<Revision>, ClientError> {
    let pages = stream::try_unfold(Some(PageOptions::default()), async |page| {
        let Some(page) = page else { return Ok(None) };
        let Page { items, next } = client.history(key, &page).await?;
        let after = next.map(|next| PageOptions { after: Some(next), ..page });
        Ok(Some((items, after)))
    });
    pages.try_concat().await
}

fn cells(revision: Revision) -> [String; 6] {
    let none = || "-".to_owned();
    let what = match revision.op {
        RevisionOp::Put => "put",
        RevisionOp::Delete => "delete",
    };
    [
        time::utc(revision.timestamp),
        revision.uuid.to_string(),
        what.to_owned(),
        revision.size.map_or_else(none, |size| size.to_string()),
        revision.content_type.unwrap_or_else(none),
        revision.superseded.map_or("current", why).to_owned(),
    ]
}

const fn why(superseded: Superseded) -> &'static str {
    match superseded {
        Superseded::Older => "by a later one",
        Superseded::YoungerOrigin => "by an older node's of the same instant",
        Superseded::Uuid => "by a greater uuid of the same instant",
    }
}

impl Restore {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let written = client.restore(&self.key, self.uuid).await?;
        if self.remote.json { output::json(&written) } else { output::line(written.uuid) }
    }
}
