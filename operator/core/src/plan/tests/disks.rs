//! Whose disks there are decides how many pods there are, and disks outlive them.

use super::*;

#[test]
fn a_disk_is_deleted_only_on_everybodys_word() {
    let mut seen = settled(2);
    seen.claims.insert(2, ClaimSeen { decommissioned: true, ..claim(2) });
    let delete = Some(delete(2));
    assert_eq!(plan(&wish(2), &seen).act, delete);
    let retain = Wish { retain: Retain::Retain, ..wish(2) };
    assert_eq!(plan(&retain, &seen).act, None);
    let mut silent = seen.clone();
    silent.members.remove(&1);
    assert_eq!(plan(&wish(2), &silent).act, None);
}

#[test]
fn no_pod_is_made_for_a_disk_that_goes() {
    let mut seen = settled(2);
    seen.claims.insert(3, ClaimSeen { decommissioned: true, deleting: true, ..claim(3) });
    assert_eq!(plan(&wish(5), &seen).set.unwrap().replicas, 3);
    seen.claims.insert(2, ClaimSeen { deleting: true, ..claim(2) });
    let wait = plan(&wish(5), &seen);
    assert_eq!((wait.set.clone().unwrap().replicas, waits(&wait)), (2, vec!["DiskGoing"]));
    // Pods that a StatefulSet left behind are there, whatever becomes of their disks.
    seen.set = None;
    seen.pods.insert(3, pod());
    assert_eq!(plan(&wish(5), &seen).set.unwrap().replicas, 5);
}

#[test]
fn a_pod_on_a_disk_that_somebody_deleted_is_not_ended() {
    let mut seen = rolling(2);
    seen.claims.get_mut(&1).unwrap().deleting = true;
    let rollout = plan(&wish(2), &seen);
    assert_eq!((rollout.act.clone(), waits(&rollout)), (None, vec!["DiskDeleted"]));
    let hibernated = Wish { mode: Mode::Hibernated, ..wish(2) };
    let wait = plan(&hibernated, &seen);
    assert_eq!((wait.set.clone().unwrap().replicas, waits(&wait)), (2, vec!["DiskDeleted"]));
    // Without anybody who says what it holds, either.
    let mut silent = seen.clone();
    silent.members.clear();
    assert_eq!(plan(&hibernated, &silent).set.unwrap().replicas, 2);
    seen.pods.get_mut(&1).unwrap().terminating = true;
    assert_eq!(plan(&hibernated, &seen).set.unwrap().replicas, 0);
}

#[test]
fn who_resumes_before_the_pods_went_waits_until_their_controller_knows() {
    let mut seen = rolling(3);
    let set = seen.set.as_mut().unwrap();
    (set.replicas, set.partition, set.observed) = (0, Some(0), false);
    let early = plan(&wish(3), &seen);
    assert_eq!(early.set.clone().unwrap().replicas, 0);
    assert_eq!(waits(&early), ["StatefulSetUnsettled", "StatefulSetUnsettled"]);
    seen.set.as_mut().unwrap().observed = true;
    assert_eq!(plan(&wish(3), &seen).set.unwrap().replicas, 3);
}

#[test]
fn resuming_starts_everybody_who_counts_before_it_shrinks() {
    let mut seen = settled(3);
    seen.pods.clear();
    seen.members.clear();
    seen.set.as_mut().unwrap().replicas = 0;
    let hibernated = Wish { mode: Mode::Hibernated, ..wish(1) };
    assert_eq!(plan(&hibernated, &seen).set.unwrap().replicas, 0);
    assert_eq!(plan(&wish(1), &seen).set.unwrap().replicas, 3);
    seen.claims.get_mut(&2).unwrap().decommissioned = true;
    assert_eq!(plan(&wish(1), &seen).set.unwrap().replicas, 2);
}

#[test]
fn larger_disks_come_before_the_set_that_makes_them() {
    let larger = Wish { size: 2 << 30, ..wish(2) };
    let mut seen = settled(2);
    let grow = |ordinal| Act::GrowClaim { ordinal, uid: "claim".into(), size: 2 << 30 };
    assert_eq!(plan(&larger, &seen).act, Some(grow(0)));
    seen.claims.values_mut().for_each(|claim| claim.requested = 2 << 30);
    assert_eq!(
        plan(&larger, &seen).act,
        Some(Act::OrphanSet { uid: "set".into(), resource_version: "1".into() })
    );
    seen.set = None;
    let again = plan(&larger, &seen).set.unwrap();
    assert_eq!((again.replicas, again.partition, again.size), (2, Some(2), 2 << 30));
}

#[test]
fn a_lost_disk_is_replaced_once_its_node_is_given_up() {
    let mut seen = settled(3);
    let replace = Wish { replace: Some((1, "claim".into())), ..wish(3) };
    assert_eq!(waits(&plan(&replace, &seen)), ["MemberServes"]);
    seen.members.remove(&1);
    seen.pods.get_mut(&1).unwrap().ready = Readiness::Never;
    for other in [0, 2] {
        let peers = &mut seen.members.get_mut(&other).unwrap().peers;
        peers.get_mut(&node(1)).unwrap().reachable = false;
    }
    assert_eq!(plan(&replace, &seen).act, Some(Act::Forget { ordinal: 0, node: node(1) }));
    for other in [0, 2] {
        let peers = &mut seen.members.get_mut(&other).unwrap().peers;
        peers.get_mut(&node(1)).unwrap().standing = Standing::Forgotten;
    }
    let delete = delete(1);
    assert_eq!(plan(&replace, &seen).act, Some(delete));
    seen.claims.get_mut(&1).unwrap().deleting = true;
    assert!(matches!(plan(&replace, &seen).act, Some(Act::DeletePod { ordinal: 1, .. })));
}
