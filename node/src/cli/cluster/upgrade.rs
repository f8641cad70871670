//! `kvs cluster upgrade`: the format that the nodes of a cluster write in.

use clap::Args;

use crate::cli::remote::Remote;
use crate::cli::{Done, output};
use crate::config::Environment;

/// Have the cluster write in the next format, once every member understands it.
///
/// A release understands two formats, and a cluster goes on in its own until it is told otherwise: so
/// after an update any node can go back to the release before. After this it cannot. Members that
/// cannot be reached, or run a release that does not know the next format, are named, and nothing
/// changes. Ask on the node's own machine: nobody else's word is taken.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs cluster upgrade            after all nodes run the new release, and run it well")]
pub(super) struct Upgrade {
    #[command(flatten)]
    remote: Remote,
}

impl Upgrade {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let before = client.cluster().await?.format;
        let status = client.upgrade().await?;
        if self.remote.json {
            return output::json(&status);
        }
        let format = status.format;
        if format == before {
            return output::line(format_args!(
                "Format {format} is the newest that this release knows: there is nothing to raise"
            ));
        }
        output::line(format_args!("The cluster writes format {format} from now on"))
    }
}
