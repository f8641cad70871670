//! What is there, as far as it was seen.

use std::collections::{BTreeMap, BTreeSet};

use kvs_core::UnixMillis;
use uuid::Uuid;

/// Number of a pod, of its claim and of its place in the cluster.
pub type Ordinal = u32;

/// What is there of one cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The time at which it was seen.
    pub now: UnixMillis,
    /// The Secret with the cluster file.
    pub identity: Identity,
    /// The StatefulSet.
    pub set: Option<SetSeen>,
    /// The pods.
    pub pods: BTreeMap<Ordinal, PodSeen>,
    /// The claims.
    pub claims: BTreeMap<Ordinal, ClaimSeen>,
    /// The nodes that answered.
    pub members: BTreeMap<Ordinal, MemberSeen>,
    /// The pod that brings a backup back.
    pub restorer: Option<RestorerSeen>,
    /// Pods whose nodes are drained, and to which Services still lead clients.
    pub routed: BTreeSet<Ordinal>,
    /// Nodes that are told to open nothing when they start.
    pub held: BTreeSet<Ordinal>,
}

/// The Secret with the cluster file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// There is none.
    #[default]
    Absent,
    /// It can be used.
    Present,
    /// It is there, and cannot be used.
    Unusable(String),
}

/// The StatefulSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetSeen {
    /// Its uid.
    pub uid: String,
    /// Its version, so that a write fails if it changed in the meantime.
    pub resource_version: String,
    /// How many pods it is to have.
    pub replicas: u32,
    /// Pods below this ordinal are made of the current revision. Nothing: no pod is, and none is
    /// restarted for an update.
    pub partition: Option<u32>,
    /// The hash of the template it was given.
    pub template: String,
    /// The size of the claims it makes, in bytes.
    pub size: u64,
    /// The revision that pods had when all had the same.
    pub current: String,
    /// The revision of its template.
    pub update: String,
    /// Whether its controller has seen all that was written to it.
    pub observed: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSeen {
    /// Its uid.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
    /// The revision of the template it was made of.
    pub revision: String,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether it serves.
    pub ready: Readiness,
    /// Why it does not start, in Kubernetes' words.
    pub trouble: Option<String>,
    /// Whether it has a machine.
    pub placed: bool,
    /// Whether it looks when it starts whether it is held down, and takes settings over while it runs. One
    /// of an older operator's template does not.
    pub reads_live: bool,
}

/// Whether a pod serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It never did.
    Never,
    /// It does, since then by the clock of its machine.
    Since(UnixMillis),
    /// It did, and no longer since then.
    Lost(UnixMillis),
}

impl PodSeen {
    /// Whether it serves.
    pub const fn is_ready(&self) -> bool {
        matches!(self.ready, Readiness::Since(_)) && !self.terminating
    }
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimSeen {
    /// Its uid.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
    /// The size that was asked for, in bytes.
    pub requested: u64,
    /// Whose data is on it, as far as it was ever seen.
    pub node: Option<Uuid>,
    /// Whether it is marked: its node has left the cluster, or never joined it.
    pub decommissioned: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// How far it is, if it begins with a backup and its node has not served yet.
    pub restore: Option<Restore>,
    /// Why there is no disk, in Kubernetes' words.
    pub trouble: Option<String>,
}

/// How far a disk is that begins with a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// The backup is not on it yet, or in parts.
    Begun,
    /// It is there whole, and its node has not served yet.
    Done,
}

impl Restore {
    /// As the claim's annotation spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
        }
    }

    /// Reads an annotation. What nobody wrote is half of something.
    pub fn read(text: &str) -> Self {
        if text == Self::Done.name() { Self::Done } else { Self::Begun }
    }
}

/// The pod that brings a backup back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestorerSeen {
    /// Its uid.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
    /// The uid of the claim that it was made for.
    pub claim: String,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// What became of it, once it is over.
    pub outcome: Option<Outcome>,
    /// Why it does not get on, in its own words or Kubernetes'.
    pub trouble: Option<String>,
}

/// What became of a pod that ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it was made for.
    Succeeded,
    /// Its machine gave it up.
    Failed,
}

/// A node that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSeen {
    /// Its id.
    pub node: Uuid,
    /// Its version.
    pub version: Option<String>,
    /// How far it is in its life.
    pub life: Life,
    /// Whether it asks for no more requests.
    pub draining: bool,
    /// Whether it was told to leave.
    pub departure: Option<Departure>,
    /// Its clock.
    pub now: UnixMillis,
    /// The others, as it knows them.
    pub peers: BTreeMap<Uuid, PeerSeen>,
}

/// How far a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It belongs to no cluster yet.
    Unborn,
    /// It is being filled, or catches up.
    Filling,
    /// It has what the others have.
    Serving,
}

/// How far a node is that was told to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Others lack something that it has.
    Leaving,
    /// It is no member any more.
    Left,
}

/// A node, as another one knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSeen {
    /// The name it goes by: its pod's.
    pub name: Option<String>,
    /// What it is to the cluster.
    pub standing: Standing,
    /// Whether it can be reached.
    pub reachable: bool,
    /// Up to when both hold what either had.
    pub agreed: Option<UnixMillis>,
}

/// What a node is to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No member.
    None,
    /// A member.
    Joined,
    /// It left.
    Left,
    /// It was given up.
    Forgotten,
}

impl MemberSeen {
    /// Whether it counts as a member, as far as it knows itself.
    pub fn is_member(&self) -> bool {
        self.life != Life::Unborn && self.departure != Some(Departure::Left)
    }
}

impl Observed {
    /// Up to when all nodes that serve hold what any of them had; nothing if two never agreed.
    pub fn agreed(&self) -> Option<UnixMillis> {
        let serving = || self.members.values().filter(|member| member.life == Life::Serving);
        let pairs = serving().flat_map(|one| serving().map(move |other| (one, other)));
        let mut pairs = pairs.filter(|(one, other)| one.node != other.node);
        pairs.try_fold(self.now, |least, (one, other)| {
            Some(least.min(one.peers.get(&other.node)?.agreed?))
        })
    }

    /// The nodes that some node counts as members, with the names they go by.
    pub fn joined(&self) -> BTreeMap<Uuid, Option<&str>> {
        let own = self.members.values().filter(|member| member.is_member());
        let own = own.map(|member| (member.node, None));
        let others = self.members.values().flat_map(|member| member.peers.iter());
        let others = others.filter(|(_, peer)| peer.standing == Standing::Joined);
        let left: BTreeSet<Uuid> = self.left().collect();
        let others = others.filter(|(id, _)| !left.contains(id));
        own.chain(others.map(|(id, peer)| (*id, peer.name.as_deref()))).collect()
    }

    /// Nodes that say of themselves that they left.
    fn left(&self) -> impl Iterator<Item = Uuid> {
        let gone = |member: &&MemberSeen| member.departure == Some(Departure::Left);
        self.members.values().filter(gone).map(|member| member.node)
    }

    /// Whether this node is no member for every one of the ordinals, all of which must have answered.
    pub fn gone_for(&self, node: Uuid, ordinals: impl IntoIterator<Item = Ordinal>) -> bool {
        let mut asked = 0;
        let all = ordinals.into_iter().all(|ordinal| {
            asked += 1;
            let member = self.members.get(&ordinal);
            member.is_some_and(|member| member.life == Life::Serving && !member.counts(node))
        });
        all && asked > 0
    }

    /// Whether a pod serves.
    pub fn is_ready(&self, ordinal: Ordinal) -> bool {
        self.pods.get(&ordinal).is_some_and(PodSeen::is_ready)
    }
}

impl MemberSeen {
    /// Whether a node is a member for this one.
    pub fn counts(&self, node: Uuid) -> bool {
        if node == self.node {
            return self.is_member();
        }
        self.peers.get(&node).is_some_and(|peer| peer.standing == Standing::Joined)
    }

    /// Whether a node of this name is a member for this one.
    pub fn counts_name(&self, name: &str) -> bool {
        let named = |peer: &&PeerSeen| peer.name.as_deref() == Some(name);
        self.peers.values().filter(named).any(|peer| peer.standing == Standing::Joined)
    }
}
