//! `kvs explain`: why somebody may do something with a key, or not.

use clap::Args;

use super::remote::Remote;
use super::{Done, output};
use crate::config::Environment;

/// Tell whether you, or another user, may do something with a key, and which rule says so.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs explain read home/room/socks
  kvs explain delete home/room --user alice")]
pub(super) struct Explain {
    /// read, create, write, delete, shorten, restore, metadata or owner
    action: String,

    /// The key
    key: String,

    /// Somebody else: takes admin:users:read
    #[arg(long)]
    user: Option<String>,

    #[command(flatten)]
    remote: Remote,
}

impl Explain {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let found = client.explain(&self.key, &self.action, self.user.as_deref()).await?;
        if self.remote.json {
            return output::json(&found);
        }
        let word = if found.allowed { "allowed" } else { "denied" };
        output::line(format_args!("{word}: {}", found.reason))
    }
}
