//! How nodes introduce themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Cursor, OLDEST_PROTOCOL, PROTOCOL, Refusal};
use crate::agreement::Pulse;
use crate::format::Format;
use crate::id::NodeId;
use crate::members::{Census, Member};
use crate::stamp::{Stamp, UnixMillis};

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    /// Empty, and waiting to be taken in.
    Unborn,
    /// Being filled.
    Filling,
    /// A member that has data, and compares it with the others.
    CatchingUp,
    /// A member that serves.
    Serving,
}

/// What a node says of itself before anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The oldest protocol it speaks.
    pub oldest: u16,
    /// The newest protocol it speaks.
    pub newest: u16,
    /// The cluster it belongs to, or waits to be taken into.
    pub cluster: Uuid,
    /// Who it is.
    pub node: NodeId,
    /// Its display name.
    pub name: String,
    /// When it first started.
    pub joined: UnixMillis,
    /// Drawn at every start.
    pub boot: u64,
    /// Where it is in its life.
    pub life: Life,
    /// Its wall clock.
    pub wall: UnixMillis,
    /// Its state.
    pub pulse: Pulse,
    /// Who belongs to the cluster, as it knows.
    pub census: Census,
    /// The number of the format that it writes versions in.
    pub format: u8,
    /// The newest one that it understands.
    pub newest_format: u8,
}

/// What a node that is taken in is given: from here on it is a member, and the streams of all others
/// go on from the cursors once it has the taker's records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Its own record.
    pub member: Member,
    /// The secret of the cluster's digest trees.
    pub digest_key: [u8; 32],
    /// How far the taker followed each node, and the end of its own log.
    pub cursors: BTreeMap<NodeId, Cursor>,
    /// All members.
    pub members: Vec<Member>,
    /// The taker's state.
    pub pulse: Pulse,
    /// Up to where the taker held everything when members were given up.
    pub parted: BTreeMap<NodeId, Stamp>,
    /// The number of the format that the cluster writes versions in.
    pub format: u8,
}

impl Hello {
    /// Why a node of `cluster` and the one that so introduces itself cannot talk at all, whatever
    /// their data. It has versions in formats up to `format`, and understands those up to `newest`.
    pub fn refusal(&self, cluster: Uuid, format: Format, newest: Format) -> Option<Refusal> {
        if self.cluster != cluster {
            return Some(Refusal::OtherCluster(cluster));
        }
        if self.oldest > PROTOCOL || self.newest < OLDEST_PROTOCOL {
            return Some(Refusal::Protocol { oldest: OLDEST_PROTOCOL, newest: PROTOCOL });
        }
        let refused =
            |format, newest| (format > newest).then_some(Refusal::Format { format, newest });
        let theirs = if self.life == Life::Unborn { 0 } else { self.format };
        refused(format.number(), self.newest_format).or_else(|| refused(theirs, newest.number()))
    }
}
