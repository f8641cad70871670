//! The operator: looks, plans, looks again without a cache, and writes once. It may be killed between.

use std::collections::BTreeSet;

use kvs_operator_core::observed::{Observed, Ordinal};
use kvs_operator_core::plan::{Act, Plan, SetWanted, plan};
use kvs_operator_core::wish::Wish;

use crate::controller::{sync, terminate};
use crate::restore;
use crate::world::{Claim, Set, World};

/// What it is about to write, and whether others were ready when it looked.
pub(crate) struct Pending {
    /// Who is to open nothing when it starts: that is written first.
    held: BTreeSet<Ordinal>,
    write: Option<Write>,
    /// Whether trouble may have come since it looked.
    troubled: bool,
}

enum Write {
    Set(SetWanted),
    Act(Act),
}

/// How many nodes in a hundred do not answer.
pub(crate) const SILENT: u32 = 5;

/// Looks at the cache; if there seems to be something to do, looks at what there is, and says what is
/// to be written then.
pub(crate) fn look(world: &mut World, wish: &Wish, silent: u32) -> Option<Pending> {
    let mut cached = world.stale();
    cached.members = world.members(silent);
    pending(plan(wish, &cached), &cached)?;
    let mut seen = world.objects();
    seen.members = world.members(silent);
    pending(plan(wish, &seen), &seen)
}

fn pending(plan: Plan, seen: &Observed) -> Option<Pending> {
    let write = write_of(&plan, seen);
    let writes = write.is_some() || plan.held != seen.held;
    writes.then_some(Pending { held: plan.held, write, troubled: false })
}

fn write_of(plan: &Plan, seen: &Observed) -> Option<Write> {
    let wanted = plan.set.clone();
    if let Some(wanted) = wanted.filter(|wanted| !is_so(wanted, seen)) {
        return Some(Write::Set(wanted));
    }
    plan.act.clone().map(Write::Act)
}

fn is_so(wanted: &SetWanted, seen: &Observed) -> bool {
    seen.set.as_ref().is_some_and(|set| {
        (set.replicas, set.partition, set.size) == (wanted.replicas, wanted.partition, wanted.size)
            && set.template == wanted.template
    })
}

impl Pending {
    /// Something else happened before the write.
    pub(crate) fn trouble(&mut self) {
        self.troubled = true;
    }
}

/// The writes arrive. It may be killed between them.
pub(crate) fn arrive(world: &mut World, pending: Pending, killed: u32) {
    if world.held != pending.held {
        world.say(format!("operator: held are {:?}", pending.held));
        world.held = pending.held;
    }
    if world.held.len() > 1 {
        world.fault(format!("{:?} are held down at once", world.held));
    }
    if world.chance(killed) {
        world.say("operator: killed between two writes".to_owned());
        return;
    }
    match pending.write {
        Some(Write::Set(wanted)) => set(world, wanted),
        Some(Write::Act(act)) => {
            world.say(format!("operator: {act:?}"));
            carry_out(world, &act, pending.troubled);
        }
        None => {}
    }
}

fn set(world: &mut World, wanted: SetWanted) {
    let now = world.set.as_ref().map(|set| (set.uid.clone(), set.version.to_string()));
    if now != wanted.from {
        world.say("operator: conflict".to_owned());
        return;
    }
    world.say(format!("operator: {wanted:?}"));
    let version = world.fresh_version();
    let uid = match &world.set {
        Some(set) => set.uid.clone(),
        None => world.fresh("set"),
    };
    let SetWanted { replicas, partition, template, size, .. } = wanted;
    let was = world.set.take().unwrap_or_default();
    world.set =
        Some(Set { uid, version, replicas, partition, template, size, observed: false, ..was });
}

fn carry_out(world: &mut World, act: &Act, troubled: bool) {
    let version = world.fresh_version();
    match act {
        Act::MakeIdentity => world.identity = true,
        Act::NoteClaim { ordinal, uid, node, decommissioned } => {
            if let Some(claim) = world.claims.get_mut(ordinal).filter(|one| one.uid == *uid) {
                (claim.node, claim.decommissioned) = (*node, *decommissioned);
                claim.version = version;
            }
        }
        Act::MakeClaim { size } => restore::make_claim(world, *size),
        Act::Restore { claim } => restore::begin(world, claim),
        Act::NoteRestore { uid, restore } => {
            if let Some(claim) = world.claims.get_mut(&0).filter(|one| one.uid == *uid) {
                (claim.restore, claim.version) = (*restore, version);
            }
        }
        Act::EndRestore { uid, resource_version } => {
            world
                .restorer
                .take_if(|pod| (&pod.uid, &pod.version.to_string()) == (uid, resource_version));
        }
        Act::GrowClaim { ordinal, uid, size } => {
            if let Some(claim) = world.claims.get_mut(ordinal).filter(|one| one.uid == *uid) {
                (claim.requested, claim.version) = (*size, version);
            }
        }
        Act::OrphanSet { uid, resource_version } => {
            let is = |set: &Set| (&set.uid, &set.version.to_string()) == (uid, resource_version);
            world.set.take_if(|set| is(set));
        }
        Act::DeleteClaim { ordinal, uid, resource_version } => {
            let is = |claim: &Claim| claim.version.to_string() == *resource_version;
            if world.claims.get(ordinal).is_some_and(is) {
                delete_claim(world, *ordinal, uid);
            }
        }
        Act::Evict { ordinal, uid } => evict(world, *ordinal, uid, troubled),
        Act::DeletePod { ordinal, uid, resource_version } => {
            let same = world
                .pods
                .get(ordinal)
                .is_some_and(|pod| pod.uid == *uid && pod.version.to_string() == *resource_version);
            if same {
                if world.is_ready(*ordinal) {
                    world.fault(format!("pod {ordinal} serves and is deleted"));
                }
                delete_pod(world, *ordinal);
            }
        }
        Act::Drain { ordinal, node } => {
            if runs(world, *ordinal, *node) {
                disrupt(world, *ordinal, troubled);
                world.pods.get_mut(ordinal).unwrap().draining = true;
            }
        }
        Act::Serve { ordinal, node } => {
            if runs(world, *ordinal, *node) {
                world.pods.get_mut(ordinal).unwrap().draining = false;
                // Kubernetes never noticed.
                if world.is_ready(*ordinal) {
                    world.disrupted.remove(ordinal);
                }
            }
        }
        Act::Found { ordinal, node } => {
            if runs(world, *ordinal, *node) {
                world.found(*ordinal);
            }
        }
        Act::Leave { ordinal, node } => {
            if runs(world, *ordinal, *node) {
                let now = world.now;
                if world.routed.contains(&world.pods[ordinal].uid) && !troubled {
                    world.fault(format!("{ordinal} refuses writes while clients are led to it"));
                }
                let pod = world.pods.get_mut(ordinal).unwrap();
                pod.leaving_since = pod.leaving_since.or(Some(now));
            }
        }
        Act::Forget { ordinal, node } => forget(world, *ordinal, *node),
    }
}

/// One that has no machine is gone at once, and its controller makes it anew before anybody looks again.
fn delete_pod(world: &mut World, ordinal: Ordinal) {
    terminate(world, ordinal);
    let renewed = world.claims.get(&ordinal).is_some_and(|claim| claim.deleting);
    if world.placed.contains(&world.pods[&ordinal].uid) || renewed {
        return;
    }
    let revision = world.pods.remove(&ordinal).unwrap().revision;
    sync(world);
    if world.pods.get(&ordinal).is_some_and(|pod| pod.revision == revision) {
        world.fault(format!("pod {ordinal} was deleted, and is what it was"));
    }
}

fn runs(world: &World, ordinal: u32, node: uuid::Uuid) -> bool {
    let claim = world.pods.get(&ordinal).and_then(|pod| pod.runs.clone());
    claim.is_some_and(|claim| world.disks[&claim].node == node)
}

/// The Eviction API, with a budget of one: who does not serve may always go.
fn evict(world: &mut World, ordinal: u32, uid: &str, troubled: bool) {
    let Some(pod) = world.pods.get(&ordinal).filter(|pod| pod.uid == uid && !pod.terminating)
    else {
        return;
    };
    let serves = pod.is_ready();
    if serves && !world.unready_beside(ordinal).is_empty() {
        world.say("operator: 429".to_owned());
        return;
    }
    if serves {
        disrupt(world, ordinal, troubled);
    }
    terminate(world, ordinal);
}

/// A node that served is taken out of service by the operator.
fn disrupt(world: &mut World, ordinal: u32, troubled: bool) {
    let others = world.missed_beside(ordinal);
    if !troubled && !others.is_empty() {
        world.fault(format!("{ordinal} is disrupted while {others:?} do not serve"));
    }
    let replicas = world.set.as_ref().map_or(0, |set| set.replicas);
    let mut disrupted = std::mem::take(&mut world.disrupted);
    disrupted.retain(|other| *other < replicas && *other != ordinal && !world.has_left(*other));
    world.disrupted = disrupted;
    if let Some(other) = world.disrupted.first().filter(|_| !troubled) {
        let other = *other;
        world.fault(format!("{ordinal} is disrupted while {other} is"));
    }
    world.disrupted.insert(ordinal);
}

fn delete_claim(world: &mut World, ordinal: u32, uid: &str) {
    let Some(claim) = world.claims.get(&ordinal).filter(|claim| claim.uid == uid) else { return };
    let uid = claim.uid.clone();
    if let Some(disk) = world.disks.get(&uid) {
        let lost = &world.lost;
        let held = |write: &&u32| {
            lost.contains(*write)
                || world
                    .disks
                    .iter()
                    .any(|(other, disk)| *other != uid && !disk.left && disk.data.contains(*write))
        };
        let missing = disk.data.iter().filter(|write| !held(write)).count();
        if missing > 0 {
            world.fault(format!("disk {ordinal} is deleted with {missing} writes nobody else has"));
        }
    }
    world.claims.get_mut(&ordinal).unwrap().deleting = true;
}

fn forget(world: &mut World, ordinal: u32, node: uuid::Uuid) {
    use kvs_operator_core::observed::Standing;
    let Some(claim) = world.pods.get(&ordinal).and_then(|pod| pod.runs.clone()) else { return };
    let disk = world.disks.get_mut(&claim).unwrap();
    if let Some((_, standing)) = disk.members.get_mut(&node) {
        *standing = Standing::Forgotten;
    }
}
