//! `kvs cluster upgrade`: the format that all nodes of a cluster speak.

use clap::Args;
use kvs_core::wire::PROTOCOL;

use crate::cli::{Done, output};

/// Show the cluster's format, and raise it once every node understands a newer one.
///
/// There is one format only so far: nodes of all releases understand each other.
#[derive(Debug, Args)]
pub(super) struct Upgrade {}

impl Upgrade {
    #[expect(clippy::unused_self, reason = "commands are run alike")]
    pub(super) fn run(self) -> Done {
        output::line(format_args!(
            "Cluster format {PROTOCOL}: the only one there is. There is nothing to raise."
        ))
    }
}
