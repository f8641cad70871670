//! What people do with single nodes: a disk that is lost is given up and replaced.

use kvs_operator_core::observed::Ordinal;

use crate::world::World;

/// The disk of a running member cannot be read any more, while at least two others serve. What it
/// alone had is lost, and what beside it only one had that leaves: that one hands over what it had when
/// it was told to, and what it takes after that it holds for nobody.
pub(crate) fn break_a_disk(world: &mut World) {
    if world.unreadable.is_some() {
        return;
    }
    let members: Vec<(Ordinal, String)> = world
        .running()
        .into_iter()
        .filter(|(at, claim)| world.disks[claim].is_member() && world.is_ready(*at))
        .filter(|(at, _)| world.pods[at].leaving_since.is_none())
        .collect();
    if members.len() < 3 {
        return;
    }
    let number: Vec<usize> = (0..members.len()).collect();
    let Some(which) = world.pick(&number) else { return };
    let (ordinal, claim) = members[which].clone();
    let leaves = |other: &String| {
        let on_it = world.pods.values().find(|pod| pod.runs.as_ref() == Some(other));
        on_it.is_some_and(|pod| pod.leaving_since.is_some())
    };
    let counts = |other: &String| *other != claim && !leaves(other);
    let others = || world.disks.iter().filter(|(other, disk)| counts(other) && !disk.left);
    let held = |write: &u32| others().any(|(_, disk)| disk.data.contains(write));
    let lost: Vec<u32> =
        world.disks[&claim].data.iter().copied().filter(|write| !held(write)).collect();
    world.say(format!("disk {ordinal} is lost, and with it {} writes", lost.len()));
    world.lost.extend(lost);
    world.unreadable = Some(claim);
    world.crash(ordinal);
}

/// People say that a disk is lost: its node is given up, and gets another disk.
pub(crate) fn replace(world: &mut World) {
    let Some(lost) = world.unreadable.clone() else { return };
    let at = world.claims.iter().find(|(_, claim)| claim.uid == lost).map(|(at, _)| *at);
    let Some(ordinal) = at.filter(|_| world.disks.contains_key(&lost)) else {
        world.unreadable = None;
        return;
    };
    world.say(format!("people: replace {ordinal}"));
    let node = world.disks[&lost].node;
    world.wish.forget.insert(node);
    world.wish.replace = Some((ordinal, lost));
}
