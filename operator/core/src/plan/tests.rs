//! Steps that one look decides. What many looks come to is the simulation's.

mod disks;
mod fence;
mod restore;

use std::collections::BTreeSet;

use kvs_core::UnixMillis;
use uuid::Uuid;

use super::*;
use crate::crd::Retain;
use crate::names::Names;
use crate::observed::{
    ClaimSeen, Departure, Life, MemberSeen, Ordinal, PeerSeen, PodSeen, Readiness, SetSeen,
    Standing,
};

const NOW: u64 = 1_000_000;

fn wish(replicas: u32) -> Wish {
    Wish {
        names: Names::new("db", "apps"),
        replicas,
        mode: Mode::Running,
        forget: BTreeSet::new(),
        fenced: BTreeSet::new(),
        size: 1 << 30,
        retain: Retain::DeleteOnScaleDown,
        canary: None,
        exception: None,
        replace: None,
        backup: None,
        template: "t".into(),
    }
}

fn node(ordinal: Ordinal) -> Uuid {
    Uuid::from_u128(u128::from(ordinal) + 1)
}

/// A cluster in which all is well.
fn settled(replicas: u32) -> Observed {
    let all = 0..replicas;
    Observed {
        now: UnixMillis(NOW),
        identity: Identity::Present,
        set: Some(SetSeen {
            uid: "set".into(),
            resource_version: "1".into(),
            replicas,
            partition: Some(replicas),
            template: "t".into(),
            size: 1 << 30,
            current: "r".into(),
            update: "r".into(),
            observed: true,
            deleting: false,
        }),
        pods: all.clone().map(|ordinal| (ordinal, pod())).collect(),
        claims: all.clone().map(|ordinal| (ordinal, claim(ordinal))).collect(),
        members: all.map(|ordinal| (ordinal, member(ordinal, replicas))).collect(),
        restorer: None,
        routed: BTreeSet::new(),
        held: BTreeSet::new(),
    }
}

fn pod() -> PodSeen {
    PodSeen {
        uid: "pod".into(),
        resource_version: "1".into(),
        revision: "r".into(),
        terminating: false,
        ready: Readiness::Since(UnixMillis(NOW - 10_000)),
        trouble: None,
        placed: true,
        reads_live: true,
    }
}

fn claim(ordinal: Ordinal) -> ClaimSeen {
    ClaimSeen {
        uid: "claim".into(),
        resource_version: "1".into(),
        requested: 1 << 30,
        node: Some(node(ordinal)),
        decommissioned: false,
        deleting: false,
        restore: None,
        trouble: None,
    }
}

fn delete(ordinal: Ordinal) -> Act {
    Act::DeleteClaim { ordinal, uid: "claim".into(), resource_version: "1".into() }
}

fn member(ordinal: Ordinal, replicas: u32) -> MemberSeen {
    let peer = |other: Ordinal| PeerSeen {
        name: Some(format!("db-{other}")),
        standing: Standing::Joined,
        reachable: true,
        agreed: Some(UnixMillis(NOW - 5_000)),
    };
    let others = (0..replicas).filter(|other| *other != ordinal);
    MemberSeen {
        node: node(ordinal),
        version: None,
        life: Life::Serving,
        draining: false,
        departure: None,
        now: UnixMillis(NOW),
        peers: others.map(|other| (node(other), peer(other))).collect(),
    }
}

fn rolling(replicas: u32) -> Observed {
    let mut seen = settled(replicas);
    seen.set.as_mut().unwrap().update = "s".into();
    seen
}

fn waits(plan: &Plan) -> Vec<&'static str> {
    plan.waits.iter().map(|wait| wait.on.reason()).collect()
}

#[test]
fn where_all_is_well_there_is_nothing_to_do() {
    let plan = plan(&wish(3), &settled(3));
    assert_eq!((plan.act, plan.kind, plan.waits), (None, None, vec![]));
    assert_eq!(plan.set.unwrap().partition, Some(3));
}

#[test]
fn identity_comes_first_and_is_never_made_for_disks_that_have_one() {
    let mut seen = Observed::default();
    assert_eq!(plan(&wish(3), &seen).act, Some(Act::MakeIdentity));
    seen.claims.insert(0, claim(0));
    let lost = plan(&wish(3), &seen);
    assert_eq!(
        (lost.set, lost.act.clone(), waits(&plan(&wish(3), &seen))),
        (None, None, vec!["IdentityLost"])
    );
}

#[test]
fn one_empty_node_is_told_that_it_is_alone_where_no_other_is_wanted_or_was_there() {
    let mut seen = settled(1);
    seen.members.get_mut(&0).unwrap().life = Life::Unborn;
    assert_eq!(plan(&wish(1), &seen).act, Some(Act::Found { ordinal: 0, node: node(0) }));
    let mut before = seen.clone();
    before.claims.insert(1, ClaimSeen { decommissioned: true, ..claim(1) });
    assert_eq!(plan(&wish(1), &before).act, None);
    assert_eq!(plan(&wish(2), &seen).act, None);
}

/// A change that does not work is stuck at its first pod, and a pod below was made again.
fn stuck(trouble: Option<&str>) -> Observed {
    let mut seen = rolling(3);
    let set = seen.set.as_mut().unwrap();
    set.partition = Some(2);
    let (update, trouble) = (set.update.clone(), trouble.map(str::to_owned));
    let ready = Readiness::Never;
    let broken = Some("ErrImagePull".to_owned());
    seen.pods.insert(2, PodSeen { revision: update, ready, trouble: broken, ..pod() });
    seen.pods.insert(0, PodSeen { ready, trouble, ..pod() });
    seen
}

#[test]
fn a_pod_that_only_starts_is_not_given_up_while_a_change_is_stuck() {
    let starts = plan(&wish(3), &stuck(None));
    assert_eq!((starts.set.unwrap().partition, starts.act), (Some(2), None));
    let crashes = plan(&wish(3), &stuck(Some("CrashLoopBackOff")));
    assert_eq!(crashes.set.unwrap().partition, None);
}

#[test]
fn a_pod_whose_machine_is_away_is_not_given_what_fails_for_others() {
    let mut seen = stuck(Some("Unschedulable"));
    seen.pods.get_mut(&0).unwrap().placed = false;
    let waits = plan(&wish(3), &seen);
    assert_eq!((waits.set.unwrap().partition, waits.act), (Some(2), None));
    // Nor when it is its turn.
    seen.pods.insert(1, seen.pods[&0].clone());
    seen.pods.insert(0, pod());
    let waits = plan(&wish(3), &seen);
    assert_eq!((waits.set.unwrap().partition, waits.act), (Some(2), None));
}

#[test]
fn a_pod_whose_machine_is_away_gets_what_works_for_others() {
    let mut seen = stuck(Some("Unschedulable"));
    seen.pods.insert(2, PodSeen { revision: "s".into(), ..pod() });
    let away = PodSeen { placed: false, ..seen.pods[&0].clone() };
    seen.pods.insert(1, away);
    seen.pods.insert(0, pod());
    let lowers = plan(&wish(3), &seen);
    assert_eq!((lowers.set.unwrap().partition, lowers.act), (Some(1), None));
}

#[test]
fn a_pod_that_got_its_machine_back_behind_the_partition_is_in_front_of_it_again() {
    let mut seen = stuck(None);
    seen.set.as_mut().unwrap().partition = Some(1);
    seen.pods.insert(1, PodSeen { ready: Readiness::Never, ..pod() });
    seen.pods.insert(0, pod());
    assert_eq!(plan(&wish(3), &seen).set.unwrap().partition, Some(2));
}

#[test]
fn who_is_paused_is_left_alone() {
    let paused = Wish { mode: Mode::Paused, ..wish(1) };
    assert_eq!(plan(&paused, &rolling(3)), Plan::default());
}

#[test]
fn a_restart_is_an_eviction_of_the_highest_and_waits_for_agreement() {
    let seen = rolling(3);
    let evict = Act::Evict { ordinal: 2, uid: "pod".into() };
    assert_eq!(plan(&wish(3), &seen).act, Some(evict));
    let mut apart = seen.clone();
    let of_one = &mut apart.members.get_mut(&0).unwrap().peers;
    of_one.get_mut(&node(1)).unwrap().agreed = Some(UnixMillis(NOW - 10_000));
    let wait = plan(&wish(3), &apart);
    assert_eq!((wait.act.clone(), waits(&wait)), (None, vec!["NotAgreed"]));
    let without = Some((crate::crd::Gate::Agreement, UnixMillis(NOW + 1)));
    assert!(plan(&Wish { exception: without, ..wish(3) }, &apart).act.is_some());
    let expired = Some((crate::crd::Gate::Agreement, UnixMillis(NOW)));
    assert!(plan(&Wish { exception: expired, ..wish(3) }, &apart).act.is_none());
}

#[test]
fn who_is_restarted_has_agreed_with_the_others_as_well() {
    for replicas in [2, 3] {
        let mut apart = rolling(replicas);
        let of_first = &mut apart.members.get_mut(&0).unwrap().peers;
        of_first.get_mut(&node(replicas - 1)).unwrap().agreed = Some(UnixMillis(NOW - 10_000));
        let wait = plan(&wish(replicas), &apart);
        assert_eq!((wait.act.clone(), waits(&wait)), (None, vec!["NotAgreed"]), "{replicas}");
        // One that does not answer has nothing to say, and a restart may mend it.
        apart.members.remove(&(replicas - 1));
        assert!(plan(&wish(replicas), &apart).act.is_some(), "{replicas}");
    }
}

#[test]
fn the_partition_is_lowered_only_below_a_pod_that_goes() {
    let mut seen = rolling(3);
    assert_eq!(plan(&wish(3), &seen).set.unwrap().partition, Some(3));
    seen.pods.get_mut(&2).unwrap().terminating = true;
    assert_eq!(plan(&wish(3), &seen).set.unwrap().partition, Some(2));
    let canary = Wish { canary: Some(1), ..wish(3) };
    seen.set.as_mut().unwrap().partition = Some(2);
    seen.pods.insert(2, PodSeen { revision: "s".into(), ..pod() });
    assert_eq!(waits(&plan(&canary, &seen)), ["Canary"]);
}

#[test]
fn a_node_drains_leaves_is_noted_and_only_then_let_go() {
    let wish = wish(2);
    let mut seen = settled(3);
    let leaver = node(2);
    assert_eq!(plan(&wish, &seen).act, Some(Act::Drain { ordinal: 2, node: leaver }));
    seen.members.get_mut(&2).unwrap().draining = true;
    assert_eq!(waits(&plan(&wish, &seen)), ["Draining"]);
    seen.pods.get_mut(&2).unwrap().ready = Readiness::Lost(UnixMillis(NOW - 4_999));
    assert_eq!(waits(&plan(&wish, &seen)), ["Draining"]);
    seen.pods.get_mut(&2).unwrap().ready = Readiness::Lost(UnixMillis(NOW - 5_000));
    // Whatever the clocks say: as long as clients are led to it, they find one that takes their writes.
    seen.routed.insert(2);
    assert_eq!(waits(&plan(&wish, &seen)), ["Draining"]);
    seen.routed.clear();
    assert_eq!(plan(&wish, &seen).act, Some(Act::Leave { ordinal: 2, node: leaver }));
    seen.members.get_mut(&2).unwrap().departure = Some(Departure::Leaving);
    // A change of mind waits.
    let five = Wish { replicas: 5, ..wish.clone() };
    assert_eq!(plan(&five, &seen).set.unwrap().replicas, 3);
    seen.members.get_mut(&2).unwrap().departure = Some(Departure::Left);
    assert_eq!(waits(&plan(&wish, &seen)), ["NoProof"]);
    for survivor in [0, 1] {
        let peers = &mut seen.members.get_mut(&survivor).unwrap().peers;
        peers.get_mut(&leaver).unwrap().standing = Standing::Left;
    }
    let noted = plan(&wish, &seen).act.unwrap();
    assert!(matches!(noted, Act::NoteClaim { ordinal: 2, decommissioned: true, .. }), "{noted:?}");
    seen.claims.get_mut(&2).unwrap().decommissioned = true;
    assert_eq!(plan(&wish, &seen).set.unwrap().replicas, 2);
}

#[test]
fn a_node_that_left_below_one_that_goes_first_holds_nobody_up() {
    let mut seen = settled(4);
    seen.pods.get_mut(&2).unwrap().ready = Readiness::Lost(UnixMillis(NOW - 10_000));
    seen.claims.get_mut(&2).unwrap().decommissioned = true;
    seen.members.get_mut(&2).unwrap().departure = Some(Departure::Leaving);
    assert_eq!(waits(&plan(&wish(1), &seen)), ["PodNotReady"]);
    seen.members.get_mut(&2).unwrap().departure = Some(Departure::Left);
    assert_eq!(plan(&wish(1), &seen).act, Some(Act::Drain { ordinal: 3, node: node(3) }));
}

#[test]
fn a_dead_member_is_waited_for_until_people_give_it_up() {
    let mut seen = settled(3);
    seen.members.remove(&2);
    seen.pods.get_mut(&2).unwrap().ready = Readiness::Lost(UnixMillis(NOW - 60_000));
    for survivor in [0, 1] {
        let peers = &mut seen.members.get_mut(&survivor).unwrap().peers;
        peers.get_mut(&node(2)).unwrap().reachable = false;
    }
    assert_eq!(waits(&plan(&wish(2), &seen)), ["MemberDead"]);
    let forget = Wish { forget: [node(2)].into(), ..wish(2) };
    assert_eq!(plan(&forget, &seen).act, Some(Act::Forget { ordinal: 0, node: node(2) }));
    let alive = settled(3);
    assert_eq!(waits(&plan(&Wish { replicas: 3, ..forget }, &alive)), ["MemberLives"]);
}
