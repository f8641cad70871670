//! What there is: objects, disks, and time.

use std::collections::{BTreeMap, BTreeSet};

use kvs_core::UnixMillis;
use kvs_operator_core::observed::{
    ClaimSeen, Identity, Observed, Ordinal, Outcome, PodSeen, Readiness, Restore, RestorerSeen,
    SetSeen,
};
use kvs_operator_core::wish::Wish;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use crate::nodes::Disk;

/// Templates of this prefix make pods that never serve.
pub(crate) const BROKEN: &str = "broken";

pub(crate) struct World {
    pub(crate) rng: StdRng,
    pub(crate) now: u64,
    pub(crate) wish: Wish,
    pub(crate) identity: bool,
    pub(crate) set: Option<Set>,
    /// When the controller last looked.
    pub(crate) looked: u64,
    pub(crate) pods: BTreeMap<Ordinal, Pod>,
    /// The uids of those that Services lead clients to.
    pub(crate) routed: BTreeSet<String>,
    pub(crate) claims: BTreeMap<Ordinal, Claim>,
    /// What brings a backup back.
    pub(crate) restorer: Option<Restorer>,
    /// By the uid of their claim.
    pub(crate) disks: BTreeMap<String, Disk>,
    pub(crate) written: u32,
    /// The claim whose disk nobody can read any more.
    pub(crate) unreadable: Option<String>,
    /// Nodes that are told to open nothing when they start.
    pub(crate) held: BTreeSet<Ordinal>,
    /// Ordinals whose disk's machine is away: pods are made for them, and have no machine.
    pub(crate) stranded: BTreeSet<Ordinal>,
    /// The uids of pods that have a machine.
    pub(crate) placed: BTreeSet<String>,
    /// Writes that were on such a disk alone.
    pub(crate) lost: BTreeSet<u32>,
    /// What the API server showed lately.
    pub(crate) past: Vec<Observed>,
    /// Pods that the operator took out of service, and that are not back.
    pub(crate) disrupted: BTreeSet<Ordinal>,
    pub(crate) faults: Vec<String>,
    pub(crate) log: Vec<String>,
    next: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Set {
    pub(crate) uid: String,
    pub(crate) version: u64,
    pub(crate) replicas: u32,
    pub(crate) partition: Option<u32>,
    pub(crate) template: String,
    pub(crate) size: u64,
    pub(crate) current: String,
    pub(crate) update: String,
    pub(crate) observed: bool,
    /// Pods and ready pods of each revision, as its controller counted them.
    pub(crate) counted: BTreeMap<(String, bool), usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) uid: String,
    pub(crate) version: u64,
    pub(crate) revision: String,
    pub(crate) terminating: bool,
    pub(crate) ready: Readiness,
    /// The claim whose disk it runs on, once it runs.
    pub(crate) runs: Option<String>,
    pub(crate) draining: bool,
    pub(crate) leaving_since: Option<u64>,
    /// Whom its node has agreed with since it started.
    pub(crate) met: BTreeSet<Uuid>,
    pub(crate) caught_up: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) uid: String,
    pub(crate) version: u64,
    pub(crate) requested: u64,
    pub(crate) node: Option<Uuid>,
    pub(crate) decommissioned: bool,
    pub(crate) deleting: bool,
    pub(crate) restore: Option<Restore>,
}

#[derive(Clone, Debug)]
pub(crate) struct Restorer {
    pub(crate) uid: String,
    pub(crate) version: u64,
    pub(crate) claim: String,
    pub(crate) outcome: Option<Outcome>,
}

impl World {
    pub(crate) fn new(seed: u64, wish: Wish) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            now: 1_000_000,
            wish,
            identity: false,
            set: None,
            looked: 0,
            pods: BTreeMap::new(),
            routed: BTreeSet::new(),
            claims: BTreeMap::new(),
            restorer: None,
            disks: BTreeMap::new(),
            written: 0,
            unreadable: None,
            held: BTreeSet::new(),
            stranded: BTreeSet::new(),
            placed: BTreeSet::new(),
            lost: BTreeSet::new(),
            past: Vec::new(),
            disrupted: BTreeSet::new(),
            faults: Vec::new(),
            log: Vec::new(),
            next: 0,
        }
    }

    /// A name that nothing else has.
    pub(crate) fn fresh(&mut self, what: &str) -> String {
        self.next += 1;
        format!("{what}{}", self.next)
    }

    pub(crate) fn fresh_version(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.rng.random_range(0..from.len())])
    }

    pub(crate) fn say(&mut self, mut what: String) {
        what.insert_str(0, &format!("{} ", self.now));
        self.log.push(what);
    }

    pub(crate) fn fault(&mut self, what: String) {
        self.say(format!("FAULT {what}"));
        self.faults.push(what);
    }

    /// What the API server shows now.
    pub(crate) fn objects(&self) -> Observed {
        Observed {
            now: UnixMillis(self.now),
            identity: if self.identity { Identity::Present } else { Identity::Absent },
            set: self.set.as_ref().map(seen_set),
            pods: self
                .pods
                .iter()
                .map(|(ordinal, pod)| (*ordinal, self.seen(*ordinal, pod)))
                .collect(),
            claims: self.claims.iter().map(|(at, claim)| (*at, seen_claim(claim))).collect(),
            members: BTreeMap::new(),
            restorer: self.restorer.as_ref().map(seen_restorer),
            routed: self.routed().collect(),
            held: self.held.clone(),
        }
    }

    fn seen(&self, ordinal: Ordinal, pod: &Pod) -> PodSeen {
        let waits = pod.runs.is_none() && pod.ready == Readiness::Never;
        let claim_goes = self.claims.get(&ordinal).is_some_and(|claim| claim.deleting);
        let placed = self.placed.contains(&pod.uid);
        let trouble = match () {
            () if pod.revision.starts_with(BROKEN) => Some("it never starts"),
            () if waits && claim_goes => Some("Unschedulable: its claim is being deleted"),
            () if waits && !placed => Some("Unschedulable: no machine is there"),
            () => None,
        };
        PodSeen {
            uid: pod.uid.clone(),
            resource_version: pod.version.to_string(),
            revision: pod.revision.clone(),
            terminating: pod.terminating,
            ready: pod.ready,
            trouble: trouble.map(str::to_owned),
            placed,
            reads_live: true,
        }
    }

    /// Drained pods that Services still lead clients to.
    fn routed(&self) -> impl Iterator<Item = Ordinal> {
        let found =
            self.pods.iter().filter(|(_, pod)| pod.draining && self.routed.contains(&pod.uid));
        found.map(|(ordinal, _)| *ordinal)
    }

    /// The same from a cache, which may lag behind in each kind by itself.
    pub(crate) fn stale(&mut self) -> Observed {
        let mut seen = self.objects();
        let back = |world: &mut Self| {
            let at = world.rng.random_range(0..=world.past.len().min(8));
            (at > 0).then(|| world.past[world.past.len() - at].clone())
        };
        if let Some(old) = back(self) {
            seen.set = old.set;
        }
        if let Some(old) = back(self) {
            seen.pods = old.pods;
        }
        if let Some(old) = back(self) {
            seen.claims = old.claims;
        }
        if let Some(old) = back(self) {
            seen.restorer = old.restorer;
        }
        seen
    }

    pub(crate) fn remember(&mut self) {
        let now = self.objects();
        self.past.push(now);
        if self.past.len() > 8 {
            self.past.remove(0);
        }
    }

    pub(crate) fn is_ready(&self, ordinal: Ordinal) -> bool {
        self.pods.get(&ordinal).is_some_and(Pod::is_ready)
    }

    /// Those that should serve beside one, and do not.
    pub(crate) fn missed_beside(&self, ordinal: Ordinal) -> Vec<Ordinal> {
        let mut unready = self.unready_beside(ordinal);
        unready.retain(|other| !self.has_left(*other));
        unready
    }

    /// Whether the node has left whose disk is there, also while no pod runs on it.
    pub(crate) fn has_left(&self, ordinal: Ordinal) -> bool {
        let disk = self.claims.get(&ordinal).and_then(|claim| self.disks.get(&claim.uid));
        disk.is_some_and(|disk| disk.left)
    }

    pub(crate) fn unready_beside(&self, ordinal: Ordinal) -> Vec<Ordinal> {
        let replicas = self.set.as_ref().map_or(0, |set| set.replicas);
        (0..replicas).filter(|other| *other != ordinal && !self.is_ready(*other)).collect()
    }
}

impl Pod {
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.ready, Readiness::Since(_)) && !self.terminating
    }
}

fn seen_set(set: &Set) -> SetSeen {
    SetSeen {
        uid: set.uid.clone(),
        resource_version: set.version.to_string(),
        replicas: set.replicas,
        partition: set.partition,
        template: set.template.clone(),
        size: set.size,
        current: set.current.clone(),
        update: set.update.clone(),
        observed: set.observed,
        deleting: false,
    }
}

fn seen_claim(claim: &Claim) -> ClaimSeen {
    ClaimSeen {
        uid: claim.uid.clone(),
        resource_version: claim.version.to_string(),
        requested: claim.requested,
        node: claim.node,
        decommissioned: claim.decommissioned,
        deleting: claim.deleting,
        restore: claim.restore,
        trouble: None,
    }
}

fn seen_restorer(pod: &Restorer) -> RestorerSeen {
    RestorerSeen {
        uid: pod.uid.clone(),
        resource_version: pod.version.to_string(),
        claim: pod.claim.clone(),
        terminating: false,
        outcome: pod.outcome,
        trouble: None,
    }
}
