//! The `StatefulSet` controller, the garbage collector and the kubelets.

use std::collections::{BTreeMap, BTreeSet};

use kvs_core::UnixMillis;
use kvs_operator_core::observed::{Ordinal, Readiness};

use crate::world::{BROKEN, Claim, Pod, Set, World};

/// One step of the `StatefulSet` controller: pods, then its status, as the real one does it.
pub(crate) fn sync(world: &mut World) {
    let Some(mut set) = world.set.clone() else { return };
    if set.current.is_empty() {
        set.current.clone_from(&set.template);
    }
    set.update.clone_from(&set.template);
    for ordinal in 0..set.replicas {
        if !world.pods.contains_key(&ordinal) {
            let old = set.partition.is_some_and(|partition| ordinal < partition);
            let revision = if old { set.current.clone() } else { set.update.clone() };
            create(world, ordinal, revision, set.size);
        }
    }
    let beyond: Vec<Ordinal> = world.pods.range(set.replicas..).map(|(at, _)| *at).collect();
    for ordinal in beyond {
        terminate(world, ordinal);
    }
    if let Some(partition) = set.partition {
        roll(world, &set, partition);
    }
    let done = |pod: &Pod| pod.revision == set.update && pod.is_ready();
    let count = world.pods.len() == set.replicas as usize;
    if count && world.pods.values().all(done) {
        set.current.clone_from(&set.update);
    }
    set.observed = true;
    set.counted = counted(world);
    let same = world.set.as_ref().is_some_and(|was| *was == set);
    if !same {
        set.version = world.fresh_version();
    }
    world.looked = world.now;
    world.set = Some(set);
}

/// What it says of its pods, who are not those that go.
fn counted(world: &World) -> BTreeMap<(String, bool), usize> {
    let mut counted = BTreeMap::new();
    for pod in world.pods.values().filter(|pod| !pod.terminating) {
        *counted.entry((pod.revision.clone(), pod.is_ready())).or_default() += 1;
    }
    counted
}

fn create(world: &mut World, ordinal: Ordinal, revision: String, size: u64) {
    if !world.claims.contains_key(&ordinal) {
        let uid = world.fresh("claim");
        let version = world.fresh_version();
        let claim = Claim {
            uid,
            version,
            requested: size,
            node: None,
            decommissioned: false,
            deleting: false,
            restore: None,
        };
        world.claims.insert(ordinal, claim);
    }
    let pod = Pod {
        uid: world.fresh("pod"),
        version: world.fresh_version(),
        revision,
        terminating: false,
        ready: Readiness::Never,
        runs: None,
        draining: false,
        leaving_since: None,
        met: BTreeSet::new(),
        caught_up: false,
    };
    world.say(format!("pod {ordinal} is made of {}", pod.revision));
    world.pods.insert(ordinal, pod);
}

pub(crate) fn terminate(world: &mut World, ordinal: Ordinal) {
    let Some(pod) = world.pods.get_mut(&ordinal).filter(|pod| !pod.terminating) else { return };
    pod.terminating = true;
    world.say(format!("pod {ordinal} goes"));
}

/// Services lead to the pods that serve, once their controller has seen which these are.
pub(crate) fn route(world: &mut World) {
    let ready = world.pods.values().filter(|pod| pod.is_ready());
    world.routed = ready.map(|pod| pod.uid.clone()).collect();
}

/// From the highest down to the partition: the first outdated pod goes, and an unready one holds up
/// the rest.
fn roll(world: &mut World, set: &Set, partition: u32) {
    for ordinal in (partition..set.replicas).rev() {
        let Some(pod) = world.pods.get(&ordinal) else { return };
        if pod.revision != set.update && !pod.terminating {
            let others = world.missed_beside(ordinal);
            // The controller asks no budget, and it was the operator that lowered the partition. Of a
            // pod that began to serve since the controller looked nobody could know.
            let served = matches!(pod.ready, Readiness::Since(since) if since.0 <= world.looked);
            if served && !others.is_empty() {
                world.fault(format!("pod {ordinal} serves and is restarted beside {others:?}"));
            }
            terminate(world, ordinal);
            return;
        }
        if !pod.is_ready() {
            return;
        }
    }
}

/// Claims that are deleted go, with their disks, once no pod uses them.
pub(crate) fn collect(world: &mut World) {
    let gone: Vec<Ordinal> = world
        .claims
        .iter()
        .filter(|(ordinal, claim)| claim.deleting && !world.pods.contains_key(ordinal))
        .map(|(ordinal, _)| *ordinal)
        .collect();
    for ordinal in gone {
        let claim = world.claims.remove(&ordinal).unwrap();
        world.disks.remove(&claim.uid);
        world.say(format!("disk {ordinal} is gone"));
    }
}

/// What a kubelet does with a pod next.
pub(crate) fn kubelet(world: &mut World, ordinal: Ordinal) {
    let Some(mut pod) = world.pods.get(&ordinal).cloned() else { return };
    if pod.terminating {
        world.pods.remove(&ordinal);
        world.say(format!("pod {ordinal} has gone"));
        return;
    }
    if !world.placed.contains(&pod.uid) {
        place(world, ordinal);
        return;
    }
    let broken = pod.revision.starts_with(BROKEN);
    let claim = world.claims.get(&ordinal).filter(|claim| !claim.deleting).cloned();
    if pod.runs.is_none() && !broken {
        if world.held.contains(&ordinal) {
            return;
        }
        let Some(claim) = claim.filter(|claim| world.unreadable.as_ref() != Some(&claim.uid))
        else {
            return;
        };
        world.boot(&claim.uid, ordinal);
        pod.runs = Some(claim.uid);
    } else {
        probe(world, ordinal, &mut pod);
    }
    world.pods.insert(ordinal, pod);
}

/// The scheduler finds a machine: the one that its disk is on, if that is there.
fn place(world: &mut World, ordinal: Ordinal) {
    let goes = world.claims.get(&ordinal).is_none_or(|claim| claim.deleting);
    if goes || world.stranded.contains(&ordinal) {
        return;
    }
    let version = world.fresh_version();
    let pod = world.pods.get_mut(&ordinal).unwrap();
    pod.version = version;
    world.placed.insert(pod.uid.clone());
}

/// Whether it serves, by its own word.
fn probe(world: &mut World, ordinal: Ordinal, pod: &mut Pod) {
    let serves = pod.caught_up && !pod.draining && pod.leaving_since.is_none();
    let now = UnixMillis(world.now);
    let before = pod.ready;
    pod.ready = match before {
        Readiness::Since(_) if !serves => Readiness::Lost(now),
        Readiness::Never | Readiness::Lost(_) if serves => Readiness::Since(now),
        same => same,
    };
    if pod.ready != before {
        pod.version = world.fresh_version();
        world.say(format!("pod {ordinal} is {:?}", pod.ready));
        if serves {
            world.disrupted.remove(&ordinal);
        }
    }
}
