//! Bringing a backup back: the claim, the pod, and what it leaves on the disk.

use kvs_operator_core::observed::{Outcome, Restore};

use crate::world::{Claim, Restorer, World};

/// Writes that are in the backup.
pub(crate) const IN_BACKUP: u32 = 5;

pub(crate) fn make_claim(world: &mut World, size: u64) {
    if world.claims.contains_key(&0) {
        return;
    }
    let claim = Claim {
        uid: world.fresh("claim"),
        version: world.fresh_version(),
        requested: size,
        node: None,
        decommissioned: false,
        deleting: false,
        restore: Some(Restore::Begun),
    };
    world.claims.insert(0, claim);
}

pub(crate) fn begin(world: &mut World, claim: &str) {
    if world.restorer.is_some() {
        return;
    }
    let (uid, version) = (world.fresh("restorer"), world.fresh_version());
    world.restorer = Some(Restorer { uid, version, claim: claim.to_owned(), outcome: None });
}

/// The pod gets on: it fills the disk, or its machine gives it up.
pub(crate) fn get_on(world: &mut World) {
    let Some(pod) = world.restorer.clone().filter(|pod| pod.outcome.is_none()) else { return };
    let fails = world.chance(20);
    if !fails {
        if world.disks.contains_key(&pod.claim) {
            world.fault("a backup is brought back onto a disk that has something".into());
        }
        world.restored(&pod.claim);
    }
    let version = world.fresh_version();
    let outcome = Some(if fails { Outcome::Failed } else { Outcome::Succeeded });
    world.say(format!("the backup: {outcome:?}"));
    world.restorer = Some(Restorer { version, outcome, ..pod });
}
