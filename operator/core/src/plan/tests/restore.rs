//! A cluster that begins with a backup.

use super::*;
use crate::observed::{Outcome, Restore, RestorerSeen};

fn wish_of_backup() -> Wish {
    Wish { backup: Some("kvs-1".into()), ..wish(3) }
}

fn empty() -> Observed {
    Observed { now: UnixMillis(NOW), identity: Identity::Present, ..Observed::default() }
}

fn first(restore: Option<Restore>) -> ClaimSeen {
    ClaimSeen { node: None, restore, ..claim(0) }
}

fn restorer(outcome: Option<Outcome>) -> RestorerSeen {
    RestorerSeen {
        uid: "restorer".into(),
        resource_version: "1".into(),
        claim: "claim".into(),
        terminating: false,
        outcome,
        trouble: None,
    }
}

/// The first disk is there, and a pod that brings the backup back.
fn restoring(pod: RestorerSeen) -> Observed {
    let mut seen = empty();
    seen.claims.insert(0, first(Some(Restore::Begun)));
    seen.restorer = Some(pod);
    seen
}

fn act(seen: &Observed) -> Option<Act> {
    let plan = plan(&wish_of_backup(), seen);
    assert_eq!(plan.set, None);
    plan.act
}

#[test]
fn the_backup_is_on_the_first_disk_before_there_is_a_pod() {
    let mut seen = empty();
    assert_eq!(act(&seen), Some(Act::MakeClaim { size: 1 << 30 }));
    seen.claims.insert(0, first(Some(Restore::Begun)));
    assert_eq!(act(&seen), Some(Act::Restore { claim: "claim".into() }));
    let runs = plan(&wish_of_backup(), &restoring(restorer(None)));
    assert_eq!((runs.set.clone(), runs.act.clone(), waits(&runs)), (None, None, vec!["Restoring"]));
    let done = Act::NoteRestore { uid: "claim".into(), restore: Some(Restore::Done) };
    assert_eq!(act(&restoring(restorer(Some(Outcome::Succeeded)))), Some(done));
}

#[test]
fn a_pod_that_was_given_up_or_was_for_another_disk_goes() {
    let end = || Some(Act::EndRestore { uid: "restorer".into(), resource_version: "1".into() });
    assert_eq!(act(&restoring(restorer(Some(Outcome::Failed)))), end());
    let other = RestorerSeen { claim: "other".into(), ..restorer(Some(Outcome::Succeeded)) };
    assert_eq!(act(&restoring(other.clone())), end());
    assert_eq!(act(&restoring(RestorerSeen { terminating: true, ..other })), None);
}

#[test]
fn why_a_backup_does_not_come_back_is_told() {
    let trouble = Some("CrashLoopBackOff: no such backup".to_owned());
    let plan = plan(&wish_of_backup(), &restoring(RestorerSeen { trouble, ..restorer(None) }));
    let on = &plan.waits[0].on;
    assert!(on.needs_people() && on.to_string().contains("no such backup"), "{on}");
}

#[test]
fn the_first_node_serves_before_there_is_another() {
    let mut seen = restoring(restorer(Some(Outcome::Succeeded)));
    seen.claims.insert(0, first(Some(Restore::Done)));
    assert_eq!(plan(&wish_of_backup(), &seen).set.unwrap().replicas, 1);
    let asleep = Wish { mode: Mode::Hibernated, ..wish_of_backup() };
    assert_eq!(plan(&asleep, &seen).set.unwrap().replicas, 0);
    let one = settled(1);
    (seen.set, seen.pods) = (one.set, one.pods);
    seen.claims.get_mut(&0).unwrap().node = Some(node(0));
    assert!(matches!(plan(&wish_of_backup(), &seen).act, Some(Act::EndRestore { .. })));
    seen.restorer = None;
    assert_eq!(plan(&wish_of_backup(), &seen).set.unwrap().replicas, 1);
    seen.members = one.members;
    let serves = plan(&wish_of_backup(), &seen);
    assert_eq!(serves.set.unwrap().replicas, 1);
    assert_eq!(serves.act, Some(Act::NoteRestore { uid: "claim".into(), restore: None }));
    seen.claims.get_mut(&0).unwrap().restore = None;
    assert_eq!(plan(&wish_of_backup(), &seen).set.unwrap().replicas, 3);
}

#[test]
fn no_backup_comes_back_where_there_were_disks_or_pods() {
    let mut seen = empty();
    seen.claims.insert(0, first(None));
    assert_eq!(plan(&wish_of_backup(), &seen).set.unwrap().replicas, 3);
    seen.claims = [(1, claim(1))].into();
    assert_eq!(plan(&wish_of_backup(), &seen).set.unwrap().replicas, 3);
    let mut lost = settled(3);
    lost.claims.clear();
    assert_eq!(plan(&wish_of_backup(), &lost).act, None);
}
