//! What a step can be.

use std::collections::BTreeSet;
use std::fmt;

use uuid::Uuid;

use super::Shut;
use crate::observed::{Ordinal, Restore};

/// What is to be done now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What the `StatefulSet` is to be. Nothing: it is left as it is.
    pub set: Option<SetWanted>,
    /// What is done once the `StatefulSet` is so.
    pub act: Option<Act>,
    /// What all this is for. Nothing: all is as it should be.
    pub kind: Option<Kind>,
    /// What would be done, and cannot be yet.
    pub waits: Vec<Wait>,
    /// Nodes that are to open nothing when they start. They are told so before the act is carried out.
    pub held: BTreeSet<Ordinal>,
}

/// What a `StatefulSet` is to be, as far as it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetWanted {
    /// How many pods.
    pub replicas: u32,
    /// Pods below this ordinal are made of the revision that all had. Nothing: pods are made of the
    /// new one, and only when they are deleted.
    pub partition: Option<u32>,
    /// The hash of its template.
    pub template: String,
    /// The size of the claims that it makes, in bytes.
    pub size: u64,
    /// The uid and version of the one that this decision was made from; nothing if there was none.
    pub from: Option<(String, String)>,
}

/// Something that cannot wait for a later look: uids and versions make sure that it is done to what was
/// seen, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Makes the cluster file, which must not be there.
    MakeIdentity,
    /// Notes on a claim whose data is on it, and whether its node has gone.
    NoteClaim {
        /// Which one.
        ordinal: Ordinal,
        /// Its uid.
        uid: String,
        /// The node.
        node: Option<Uuid>,
        /// Whether it has gone.
        decommissioned: bool,
    },
    /// Makes the first claim, for a backup. It must not be there.
    MakeClaim {
        /// In bytes.
        size: u64,
    },
    /// Makes the pod that brings the backup back. It must not be there.
    Restore {
        /// The uid of the first claim.
        claim: String,
    },
    /// Notes on the first claim how far its backup is.
    NoteRestore {
        /// Its uid.
        uid: String,
        /// How far; nothing once its node has served.
        restore: Option<Restore>,
    },
    /// Deletes the pod that brought a backup back.
    EndRestore {
        /// Its uid.
        uid: String,
        /// Its version.
        resource_version: String,
    },
    /// Asks for a larger disk.
    GrowClaim {
        /// Which one.
        ordinal: Ordinal,
        /// Its uid.
        uid: String,
        /// In bytes.
        size: u64,
    },
    /// Deletes a claim, and its disk with it.
    DeleteClaim {
        /// Which one.
        ordinal: Ordinal,
        /// Its uid.
        uid: String,
        /// Its version: whoever begins to use it is noted on it.
        resource_version: String,
    },
    /// Deletes the `StatefulSet` and leaves its pods: it is made again at once, with larger claims.
    OrphanSet {
        /// Its uid.
        uid: String,
        /// Its version.
        resource_version: String,
    },
    /// Asks the budget whether a pod may be restarted, and restarts it.
    Evict {
        /// Which one.
        ordinal: Ordinal,
        /// Its uid.
        uid: String,
    },
    /// Deletes a pod that never served.
    DeletePod {
        /// Which one.
        ordinal: Ordinal,
        /// Its uid.
        uid: String,
        /// Its version.
        resource_version: String,
    },
    /// Has a node ask for no more requests.
    Drain {
        /// Where it runs.
        ordinal: Ordinal,
        /// Who it is.
        node: Uuid,
    },
    /// Takes that back.
    Serve {
        /// Where it runs.
        ordinal: Ordinal,
        /// Who it is.
        node: Uuid,
    },
    /// Has a node found the cluster, alone.
    Found {
        /// Where it runs.
        ordinal: Ordinal,
        /// Who it is.
        node: Uuid,
    },
    /// Has a node leave for good.
    Leave {
        /// Where it runs.
        ordinal: Ordinal,
        /// Who it is.
        node: Uuid,
    },
    /// Has a node give another one up.
    Forget {
        /// Where the one that is told runs.
        ordinal: Ordinal,
        /// Who is given up.
        node: Uuid,
    },
}

impl Act {
    /// Whether it takes a node out of service.
    pub const fn disrupts(&self) -> bool {
        matches!(self, Self::Evict { .. } | Self::DeletePod { .. } | Self::Drain { .. })
    }

    /// Whether it cannot be taken back.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::DeleteClaim { .. } | Self::Leave { .. } | Self::Forget { .. })
    }
}

/// What steps are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The cluster begins, or begins anew.
    Start,
    /// More nodes.
    ScaleUp,
    /// Fewer nodes.
    ScaleDown,
    /// Pods get another template.
    Rollout,
    /// Disks grow.
    Growth,
    /// All pods go.
    Hibernate,
    /// Nodes are held down.
    Fence,
    /// Nodes are given up.
    Forget,
    /// A member gets a new disk.
    Replace,
    /// What is no longer needed goes.
    Cleanup,
    /// What is there is noted.
    Notes,
}

impl Kind {
    /// As status and metrics spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::ScaleUp => "ScaleUp",
            Self::ScaleDown => "ScaleDown",
            Self::Rollout => "Rollout",
            Self::Growth => "Growth",
            Self::Hibernate => "Hibernate",
            Self::Fence => "Fence",
            Self::Forget => "Forget",
            Self::Replace => "Replace",
            Self::Cleanup => "Cleanup",
            Self::Notes => "Notes",
        }
    }
}

/// A step that cannot be taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// What it is for.
    pub kind: Kind,
    /// What would be done.
    pub step: String,
    /// Why it cannot be.
    pub on: Shut,
}

impl Plan {
    pub(super) fn act(kind: Kind, act: Act) -> Self {
        Self { act: Some(act), kind: Some(kind), ..Self::default() }
    }

    pub(super) fn wait(kind: Kind, step: impl Into<String>, on: Shut) -> Self {
        let wait = Wait { kind, step: step.into(), on };
        Self { kind: Some(kind), waits: vec![wait], ..Self::default() }
    }
}

impl fmt::Display for SetWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.partition {
            Some(from) if from < self.replicas => {
                write!(f, "{} pods, from {from} on of the new template", self.replicas)
            }
            Some(_) => write!(f, "{} pods", self.replicas),
            None => write!(f, "{} pods, of the new template when they are deleted", self.replicas),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakeIdentity => f.write_str("make the cluster file"),
            Self::NoteClaim { ordinal, .. } => write!(f, "note whose disk {ordinal} is"),
            Self::MakeClaim { .. } => f.write_str("make disk 0 for the backup"),
            Self::Restore { .. } => f.write_str("bring the backup back"),
            Self::NoteRestore { restore: Some(restore), .. } => {
                write!(f, "note that bringing the backup back is {}", restore.name())
            }
            Self::NoteRestore { restore: None, .. } => {
                f.write_str("note that the backup is brought back")
            }
            Self::EndRestore { .. } => f.write_str("delete the pod that brought the backup back"),
            Self::GrowClaim { ordinal, .. } => write!(f, "let disk {ordinal} grow"),
            Self::DeleteClaim { ordinal, .. } => write!(f, "delete disk {ordinal}"),
            Self::OrphanSet { .. } => f.write_str("make the StatefulSet again"),
            Self::Evict { ordinal, .. } => write!(f, "restart pod {ordinal}"),
            Self::DeletePod { ordinal, .. } => {
                write!(f, "delete pod {ordinal}, which never served")
            }
            Self::Drain { ordinal, .. } => write!(f, "drain node {ordinal}"),
            Self::Serve { ordinal, .. } => write!(f, "let node {ordinal} serve again"),
            Self::Found { ordinal, .. } => write!(f, "have node {ordinal} found the cluster"),
            Self::Leave { ordinal, .. } => write!(f, "have node {ordinal} leave"),
            Self::Forget { node, .. } => write!(f, "give node {node} up"),
        }
    }
}
