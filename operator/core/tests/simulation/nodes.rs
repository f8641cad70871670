//! The store, as far as the plan depends on it: who is a member, who holds what, who agreed with whom.

use std::collections::{BTreeMap, BTreeSet};

use kvs_core::UnixMillis;
use kvs_operator_core::observed::{
    Departure, Life, MemberSeen, Ordinal, PeerSeen, Readiness, Standing,
};
use uuid::Uuid;

use crate::restore::IN_BACKUP;
use crate::world::{Pod, World};

/// What a node keeps.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) node: Uuid,
    pub(crate) name: String,
    pub(crate) born: bool,
    pub(crate) left: bool,
    pub(crate) data: BTreeSet<u32>,
    /// Who is what, as this node knows.
    pub(crate) members: BTreeMap<Uuid, (String, Standing)>,
    pub(crate) agreed: BTreeMap<Uuid, u64>,
}

impl World {
    fn new_disk(&mut self, ordinal: Ordinal) -> Disk {
        let node = Uuid::from_u128(u128::from(self.fresh_version()));
        Disk {
            node,
            name: self.wish.names.pod(ordinal),
            born: false,
            left: false,
            data: BTreeSet::new(),
            members: BTreeMap::new(),
            agreed: BTreeMap::new(),
        }
    }

    /// A node starts on a disk.
    pub(crate) fn boot(&mut self, claim: &str, ordinal: Ordinal) {
        if !self.disks.contains_key(claim) {
            self.begin(claim, ordinal);
        }
    }

    fn begin(&mut self, claim: &str, ordinal: Ordinal) {
        let disk = self.new_disk(ordinal);
        self.say(format!("node {} begins at {ordinal}", disk.node.as_u128()));
        self.disks.insert(claim.to_owned(), disk);
    }

    /// A backup is on a disk: the first node of its cluster, with all that it had.
    pub(crate) fn restored(&mut self, claim: &str) {
        let mut disk = self.new_disk(0);
        disk.found();
        disk.data = (1..=IN_BACKUP).collect();
        self.disks.insert(claim.to_owned(), disk);
    }

    /// A node that left in an earlier run starts over as a new one, once somebody knows.
    fn start_over(&mut self, ordinal: Ordinal) {
        let pod = &self.pods[&ordinal];
        let Some(claim) = pod.runs.clone() else { return };
        if self.disks[&claim].left && pod.leaving_since.is_none() {
            self.begin(&claim, ordinal);
        }
    }

    /// The nodes that run: their ordinals and their disks.
    pub(crate) fn running(&self) -> Vec<(Ordinal, String)> {
        let running = self.pods.iter().filter_map(|(at, pod)| Some((*at, pod.runs.clone()?)));
        running.collect()
    }

    /// Two nodes meet: both then hold what either had. A node that is new joins by it.
    pub(crate) fn meet(&mut self, left: usize, right: usize) {
        let running = self.running();
        let ((a, one), (b, other)) = (running[left].clone(), running[right].clone());
        let (mut one, mut other) = (self.disks[&one].clone(), self.disks[&other].clone());
        if one.left || other.left {
            // Only members are told, and remember it.
            if !(one.is_member() || other.is_member()) {
                return;
            }
            pass_on(&mut one, &mut other);
        } else if self.take_in(&mut one, &mut other) {
            pass_on(&mut one, &mut other);
            let all: BTreeSet<u32> = one.data.union(&other.data).copied().collect();
            (one.data, other.data) = (all.clone(), all);
            one.agreed.insert(other.node, self.now);
            other.agreed.insert(one.node, self.now);
            self.met(a, other.node);
            self.met(b, one.node);
        }
        self.disks.insert(running[left].1.clone(), one);
        self.disks.insert(running[right].1.clone(), other);
        self.start_over(a);
        self.start_over(b);
    }

    fn met(&mut self, ordinal: Ordinal, node: Uuid) {
        self.pods.get_mut(&ordinal).unwrap().met.insert(node);
    }

    /// Whether both are members then. Those who know only empty ones found the cluster.
    fn take_in(&mut self, one: &mut Disk, other: &mut Disk) -> bool {
        if !one.born && !other.born {
            let known = self.disks.values().any(|disk| disk.born);
            if known {
                return false;
            }
            self.founds_beside();
            one.found();
        }
        for (newcomer, member) in [(0, 1), (1, 0)] {
            let both = [&mut *one, &mut *other];
            if !both[newcomer].born && both[member].born {
                let (node, name) = (both[newcomer].node, both[newcomer].name.clone());
                both[member].members.insert(node, (name, Standing::Joined));
                both[newcomer].born = true;
            }
        }
        true
    }

    /// A node is told that it is alone.
    pub(crate) fn found(&mut self, ordinal: Ordinal) {
        let Some(claim) = self.pods[&ordinal].runs.clone() else { return };
        if self.disks[&claim].born || !self.reachable(ordinal).is_empty() {
            return;
        }
        let others = self.disks.iter().filter(|(at, disk)| **at != claim && disk.is_member());
        if others.count() > 0 {
            self.fault(format!("{ordinal} founds a second cluster"));
        }
        self.founds_beside();
        self.disks.get_mut(&claim).unwrap().found();
    }

    /// Empty nodes found no cluster where there is a backup.
    fn founds_beside(&mut self) {
        if self.wish.backup.is_some() {
            self.fault("empty nodes found a cluster beside the backup".into());
        }
    }

    /// A node that was told to leave leaves once all others hold
    /// what it has; one that has met everybody whom it can reach has caught up.
    pub(crate) fn think(&mut self, ordinal: Ordinal) {
        let Some(pod) = self.pods.get(&ordinal).cloned() else { return };
        let Some(claim) = pod.runs.clone() else { return };
        let others: Vec<Uuid> = self.reachable(ordinal);
        let mut disk = self.disks[&claim].clone();
        let counted = others.iter().filter(|node| disk.counts(**node));
        let met = counted.clone().all(|node| pod.met.contains(node));
        let caught_up = pod.caught_up || (disk.born && !disk.left && met);
        if let Some(since) = pod.leaving_since.filter(|_| !disk.left) {
            let agreed = |node: &Uuid| disk.agreed.get(node).is_some_and(|at| *at > since);
            if counted.clone().count() > 0 && counted.clone().all(agreed) {
                disk.left = true;
                disk.members.insert(disk.node, (disk.name.clone(), Standing::Left));
                self.say(format!("node {} left", disk.node.as_u128()));
            }
        }
        self.disks.insert(claim, disk);
        self.pods.get_mut(&ordinal).unwrap().caught_up = caught_up;
    }

    fn reachable(&self, ordinal: Ordinal) -> Vec<Uuid> {
        let others = self.running().into_iter().filter(|(at, _)| *at != ordinal);
        others.map(|(_, claim)| self.disks[&claim].node).collect()
    }

    /// A client writes to a node that serves.
    pub(crate) fn write(&mut self) {
        let ready: Vec<Ordinal> =
            self.pods.keys().copied().filter(|at| self.is_ready(*at)).collect();
        let Some(ordinal) = self.pick(&ready) else { return };
        let pod = &self.pods[&ordinal];
        if pod.leaving_since.is_some() {
            return;
        }
        let claim = pod.runs.clone().unwrap();
        self.written += 1;
        let write = self.written;
        self.disks.get_mut(&claim).unwrap().data.insert(write);
    }

    /// The process ends and starts again.
    pub(crate) fn crash(&mut self, ordinal: Ordinal) {
        let now = UnixMillis(self.now);
        let version = self.fresh_version();
        let Some(pod) = self.pods.get_mut(&ordinal).filter(|pod| pod.runs.is_some()) else {
            return;
        };
        if matches!(pod.ready, Readiness::Since(_)) {
            pod.ready = Readiness::Lost(now);
        }
        (pod.runs, pod.draining, pod.leaving_since) = (None, false, None);
        (pod.caught_up, pod.version) = (false, version);
        pod.met.clear();
        self.say(format!("pod {ordinal} crashed"));
    }

    /// What nodes answer to the operator; some do not.
    pub(crate) fn members(&mut self, silent: u32) -> BTreeMap<Ordinal, MemberSeen> {
        let running = self.running();
        let mut members = BTreeMap::new();
        for (ordinal, claim) in running {
            if !self.chance(silent) {
                let (pod, disk) = (&self.pods[&ordinal], &self.disks[&claim]);
                members.insert(ordinal, self.member(ordinal, pod, disk));
            }
        }
        members
    }

    fn member(&self, ordinal: Ordinal, pod: &Pod, disk: &Disk) -> MemberSeen {
        let reachable = self.reachable(ordinal);
        let peer = |(node, (name, standing)): (&Uuid, &(String, Standing))| {
            let seen = PeerSeen {
                name: Some(name.clone()),
                standing: *standing,
                reachable: reachable.contains(node),
                agreed: disk.agreed.get(node).map(|at| UnixMillis(*at)),
            };
            (*node, seen)
        };
        let others = disk.members.iter().filter(|(node, _)| **node != disk.node);
        let leaving = pod.leaving_since.map(|_| Departure::Leaving);
        MemberSeen {
            node: disk.node,
            version: None,
            life: match (disk.born, pod.caught_up) {
                (false, _) => Life::Unborn,
                _ if disk.left && leaving.is_none() => Life::Unborn,
                (true, false) => Life::Filling,
                (true, true) => Life::Serving,
            },
            draining: pod.draining,
            departure: leaving.map(|leaving| if disk.left { Departure::Left } else { leaving }),
            now: UnixMillis(self.now),
            peers: others.map(peer).collect(),
        }
    }
}

impl Disk {
    fn found(&mut self) {
        self.born = true;
        self.members.insert(self.node, (self.name.clone(), Standing::Joined));
    }

    pub(crate) const fn is_member(&self) -> bool {
        self.born && !self.left
    }

    pub(crate) fn counts(&self, node: Uuid) -> bool {
        self.members.get(&node).is_some_and(|(_, standing)| *standing == Standing::Joined)
    }
}

/// What each knows of who counts, the other then knows; that somebody went is never unlearned.
fn pass_on(one: &mut Disk, other: &mut Disk) {
    let mut all = one.members.clone();
    for (node, (name, standing)) in &other.members {
        let known = all.entry(*node).or_insert_with(|| (name.clone(), *standing));
        if *standing != Standing::Joined {
            known.1 = *standing;
        }
    }
    one.members.clone_from(&all);
    other.members = all;
}
