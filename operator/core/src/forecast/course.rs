//! How things go if all goes well: pods start, nodes agree, clocks run.

use kvs_core::UnixMillis;
use uuid::Uuid;

use crate::observed::{
    ClaimSeen, Departure, Identity, Life, MemberSeen, Observed, Ordinal, Outcome, PeerSeen,
    PodSeen, Readiness, Restore, RestorerSeen, SetSeen, Standing,
};
use crate::plan::{Act, Plan, SetWanted};
use crate::wish::Wish;

/// Between two looks: enough for a pod to start and for nodes to agree.
const TURN: u64 = 60_000;

/// What is seen, as it comes to be.
pub(super) struct Course<'a> {
    pub(super) seen: Observed,
    wish: &'a Wish,
    /// Ids that were given to nodes that do not exist yet.
    newcomers: u128,
}

impl<'a> Course<'a> {
    pub(super) fn new(wish: &'a Wish, seen: Observed) -> Self {
        Self { seen, wish, newcomers: 0 }
    }

    /// Whether a step changes the `StatefulSet`.
    pub(super) fn changes(&self, next: &Plan) -> bool {
        let Some(wanted) = &next.set else { return false };
        self.seen.set.as_ref().is_none_or(|set| {
            (set.replicas, set.partition, &set.template, set.size)
                != (wanted.replicas, wanted.partition, &wanted.template, wanted.size)
        })
    }

    /// Takes a step, and lets time pass. Nothing came of it: it says so.
    pub(super) fn take(&mut self, next: &Plan, changes: bool) -> bool {
        let before = self.seen.clone();
        self.seen.held.clone_from(&next.held);
        match (&next.set, &next.act) {
            (Some(wanted), _) if changes => self.set(wanted),
            (_, Some(act)) => self.act(act),
            _ => {}
        }
        // A pod that goes is still going when the plan looks again.
        let goes = matches!(next.act, Some(Act::Evict { .. } | Act::DeletePod { .. })) && !changes;
        if !goes {
            self.settle();
        }
        let moved = !same(&before, &self.seen);
        self.pass();
        moved
    }

    fn set(&mut self, wanted: &SetWanted) {
        let was = self.seen.set.take();
        let update = format!("of-{}", wanted.template);
        let kept = was.as_ref().filter(|was| was.template == wanted.template);
        let update = kept.map_or(update, |was| was.update.clone());
        let current = was.as_ref().map_or_else(|| update.clone(), |was| was.current.clone());
        self.seen.set = Some(SetSeen {
            uid: was.as_ref().map_or_else(|| "set".into(), |was| was.uid.clone()),
            resource_version: "1".into(),
            replicas: wanted.replicas,
            partition: wanted.partition,
            template: wanted.template.clone(),
            size: wanted.size,
            current,
            update,
            observed: true,
            deleting: false,
        });
    }

    fn act(&mut self, act: &Act) {
        let seen = &mut self.seen;
        match act {
            Act::MakeIdentity => seen.identity = Identity::Present,
            Act::NoteClaim { ordinal, node, decommissioned, .. } => {
                if let Some(claim) = seen.claims.get_mut(ordinal) {
                    (claim.node, claim.decommissioned) = (*node, *decommissioned);
                }
            }
            Act::MakeClaim { size } => {
                let claim = ClaimSeen { restore: Some(Restore::Begun), ..empty(0, *size) };
                seen.claims.insert(0, claim);
            }
            Act::Restore { claim } => seen.restorer = Some(restorer(claim)),
            Act::NoteRestore { restore, .. } => {
                if let Some(claim) = seen.claims.get_mut(&0) {
                    claim.restore = *restore;
                }
            }
            Act::EndRestore { .. } => seen.restorer = None,
            Act::GrowClaim { ordinal, size, .. } => {
                if let Some(claim) = seen.claims.get_mut(ordinal) {
                    claim.requested = *size;
                }
            }
            Act::DeleteClaim { ordinal, .. } => {
                if seen.pods.contains_key(ordinal) {
                    seen.claims.entry(*ordinal).and_modify(|claim| claim.deleting = true);
                } else {
                    seen.claims.remove(ordinal);
                }
            }
            Act::OrphanSet { .. } => seen.set = None,
            Act::Evict { ordinal, .. } | Act::DeletePod { ordinal, .. } => {
                if let Some(pod) = seen.pods.get_mut(ordinal) {
                    pod.terminating = true;
                }
            }
            Act::Drain { ordinal, .. } => self.drain(*ordinal, true),
            Act::Serve { ordinal, .. } => self.drain(*ordinal, false),
            Act::Found { ordinal, .. } => {
                if let Some(member) = seen.members.get_mut(ordinal) {
                    member.life = Life::Serving;
                }
            }
            Act::Leave { ordinal, node } => {
                if let Some(member) = seen.members.get_mut(ordinal) {
                    member.departure = Some(Departure::Left);
                }
                self.stand(*node, Standing::Left);
            }
            Act::Forget { node, .. } => self.stand(*node, Standing::Forgotten),
        }
    }

    fn drain(&mut self, ordinal: Ordinal, draining: bool) {
        let now = self.seen.now;
        if let Some(member) = self.seen.members.get_mut(&ordinal) {
            member.draining = draining;
        }
        if let Some(pod) = self.seen.pods.get_mut(&ordinal) {
            pod.ready = if draining { Readiness::Lost(now) } else { Readiness::Since(now) };
        }
    }

    /// What all others hold a node for.
    fn stand(&mut self, node: Uuid, standing: Standing) {
        for member in self.seen.members.values_mut() {
            if let Some(peer) = member.peers.get_mut(&node) {
                peer.standing = standing;
            }
        }
    }

    /// Kubernetes does its part: pods that go are gone, those that are wanted are there.
    fn settle(&mut self) {
        let Some(set) = self.seen.set.clone() else { return };
        let gone = |ordinal: &Ordinal, pod: &PodSeen| pod.terminating || *ordinal >= set.replicas;
        let going: Vec<Ordinal> =
            self.seen.pods.iter().filter(|(at, pod)| gone(at, pod)).map(|(at, _)| *at).collect();
        for ordinal in going {
            self.seen.pods.remove(&ordinal);
            self.seen.members.remove(&ordinal);
            if self.seen.claims.get(&ordinal).is_some_and(|claim| claim.deleting) {
                self.seen.claims.remove(&ordinal);
            }
        }
        for ordinal in 0..set.replicas {
            if !self.seen.pods.contains_key(&ordinal) {
                self.start(&set, ordinal);
            }
        }
        self.wake();
        let all_new = self.seen.pods.values().all(|pod| pod.revision == set.update);
        if let Some(set) = self.seen.set.as_mut().filter(|_| all_new) {
            set.current.clone_from(&set.update);
        }
    }

    fn start(&mut self, set: &SetSeen, ordinal: Ordinal) {
        let old = set.partition.is_some_and(|partition| ordinal < partition);
        let revision = if old { set.current.clone() } else { set.update.clone() };
        let pod = PodSeen {
            uid: format!("pod-{ordinal}"),
            resource_version: "1".into(),
            revision,
            terminating: false,
            ready: if self.is_held(ordinal) {
                Readiness::Never
            } else {
                Readiness::Since(self.seen.now)
            },
            trouble: None,
            placed: true,
            reads_live: true,
        };
        self.seen.pods.insert(ordinal, pod);
        let claim = self.seen.claims.entry(ordinal).or_insert_with(|| empty(ordinal, set.size));
        let node = claim.node.filter(|_| !claim.decommissioned).unwrap_or_else(|| {
            self.newcomers += 1;
            Uuid::from_u128(u128::MAX - self.newcomers)
        });
        if !self.is_held(ordinal) {
            let name = self.wish.names.pod(ordinal);
            self.join(ordinal, node, &name);
        }
    }

    fn is_held(&self, ordinal: Ordinal) -> bool {
        self.seen.held.contains(&ordinal)
    }

    fn join(&mut self, ordinal: Ordinal, node: Uuid, name: &str) {
        let joined = |name: String| PeerSeen {
            name: Some(name),
            standing: Standing::Joined,
            reachable: true,
            agreed: None,
        };
        let names = &self.wish.names;
        let others = self.seen.members.iter();
        let peers = others.map(|(at, other)| (other.node, joined(names.pod(*at)))).collect();
        for other in self.seen.members.values_mut() {
            other.peers.insert(node, joined(name.to_owned()));
        }
        let member = MemberSeen {
            node,
            version: None,
            life: Life::Serving,
            draining: false,
            departure: None,
            now: self.seen.now,
            peers,
        };
        self.seen.members.insert(ordinal, member);
    }

    /// Pods that were on their way serve.
    fn wake(&mut self) {
        let now = self.seen.now;
        for (ordinal, pod) in &mut self.seen.pods {
            let held = self.seen.members.get(ordinal).is_some_and(|member| member.draining)
                || self.seen.held.contains(ordinal);
            if !matches!(pod.ready, Readiness::Since(_)) && !held {
                (pod.ready, pod.trouble) = (Readiness::Since(now), None);
            }
        }
    }

    /// A turn passes, in which all nodes agree.
    fn pass(&mut self) {
        self.seen.now = UnixMillis(self.seen.now.0.saturating_add(TURN));
        let now = self.seen.now;
        for member in self.seen.members.values_mut() {
            member.now = now;
            member.peers.values_mut().for_each(|peer| peer.agreed = Some(now));
        }
    }
}

fn empty(ordinal: Ordinal, size: u64) -> ClaimSeen {
    ClaimSeen {
        uid: format!("claim-{ordinal}"),
        resource_version: "1".into(),
        requested: size,
        node: None,
        decommissioned: false,
        deleting: false,
        restore: None,
        trouble: None,
    }
}

fn restorer(claim: &str) -> RestorerSeen {
    RestorerSeen {
        uid: "restorer".into(),
        resource_version: "1".into(),
        claim: claim.to_owned(),
        terminating: false,
        outcome: Some(Outcome::Succeeded),
        trouble: None,
    }
}

/// Whether nothing changed but the time.
fn same(before: &Observed, after: &Observed) -> bool {
    before.identity == after.identity
        && before.set == after.set
        && before.pods == after.pods
        && before.claims == after.claims
        && before.members == after.members
        && before.restorer == after.restorer
        && before.held == after.held
}
