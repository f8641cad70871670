//! What the engine is told when it is made.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agreement::Saved;
use crate::format::Format;
use crate::id::NodeId;
use crate::stamp::UnixMillis;
use crate::wire::Cursor;

/// What does not change while the engine runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster that the node belongs to, or waits to be taken into.
    pub cluster: Uuid,
    /// Who it is.
    pub node: NodeId,
    /// Drawn at every start.
    pub boot: u64,
    /// Its display name.
    pub name: String,
    /// When it first started.
    pub joined: UnixMillis,
    /// Whether it was told of others: an empty node then waits for them.
    pub has_seeds: bool,
    /// Between two comparisons.
    pub sync_interval: Duration,
    /// Between two comparisons while something differs.
    pub catchup_interval: Duration,
    /// How far ahead of the wall clock a stamp may be.
    pub max_clock_drift: Duration,
    /// How long deletes are remembered beyond the need.
    pub retention: Duration,
    /// Age of the oldest revisions that an empty node asks for.
    pub revision_age: Duration,
    /// Bytes a second that an empty node takes.
    pub bootstrap_rate: Option<u64>,
    /// The newest format that it understands.
    pub newest_format: Format,
}

/// What the last run left.
#[derive(Clone, Debug, Default)]
pub struct Resumed {
    /// Whether the store belongs to the cluster.
    pub born: bool,
    /// How far each other node's log was followed.
    pub cursors: BTreeMap<NodeId, Cursor>,
    /// What was agreed.
    pub agreement: Saved,
    /// Where filling stood, if it was not finished.
    pub bootstrap: Option<Bootstrap>,
}

/// How far the filling of an empty node has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Everything before this position has come: of 2^64.
    pub position: u64,
    /// Versions that came.
    pub versions: u64,
    /// Who counted when this node was taken in: until their records have come, nothing else says who
    /// else there is.
    #[serde(default)]
    pub members: Vec<NodeId>,
}
