use uuid::Uuid;

use super::*;
use crate::id::NodeId;
use crate::value::{ContentType, Value};

fn id(number: u128) -> VersionId {
    VersionId::new(Uuid::from_u128(number))
}

fn value() -> Body {
    Body::Value(Value::plain(ContentType::JSON, "1".into()))
}

fn moment(now: u64) -> Moment {
    let origin = Origin { node: NodeId::from_bytes([1; 16]), joined: UnixMillis(5) };
    Moment { now: UnixMillis(now), stamp: Stamp::at(UnixMillis(now)), origin }
}

/// The version that a plain write at `now` leaves.
fn written(now: u64, uuid: u128, expiry: Expiry) -> Version {
    let command = Command::Put {
        body: value(),
        expiry,
        condition: Condition::Always,
        uuid: id(uuid),
        author: Some(UserId::from_bytes([7; 16])),
    };
    committed(decide(None, command, &moment(now)))
}

fn committed(decision: Decision) -> Version {
    match decision {
        Decision::Commit { version, .. } => version,
        other => panic!("not a commit: {other:?}"),
    }
}

fn put_if(condition: Condition) -> Command {
    Command::Put { body: value(), expiry: Expiry::Never, condition, uuid: id(99), author: None }
}

#[test]
fn conditions_look_at_the_live_version_alone() {
    let live = written(10, 1, Expiry::Never).head();
    let expired = written(10, 1, Expiry::After(Duration::from_millis(5))).head();
    let table = [
        (Condition::Always, true, true),
        (Condition::Present, true, false),
        (Condition::Absent, false, true),
        (Condition::Is(vec![id(2), id(1)]), true, false),
        (Condition::Is(vec![id(2)]), false, false),
        (Condition::IsNot(vec![id(1)]), false, true),
        (Condition::IsNot(vec![id(2)]), true, true),
    ];
    for (condition, with_live, with_none) in table {
        let commits = |current: Option<&Head>| {
            matches!(
                decide(current, put_if(condition.clone()), &moment(20)),
                Decision::Commit { .. }
            )
        };
        assert_eq!(commits(Some(&live)), with_live, "{condition:?}");
        assert_eq!(commits(Some(&expired)), with_none, "{condition:?}");
        assert_eq!(commits(None), with_none, "{condition:?}");
    }
}

#[test]
fn a_failed_condition_names_the_current_version() {
    let live = written(10, 1, Expiry::Never).head();
    let decision = decide(Some(&live), put_if(Condition::Absent), &moment(20));
    assert_eq!(decision, Decision::Reject(Rejection::Condition { current: Some(id(1)) }));
}

#[test]
fn deleting_what_is_absent_says_why_it_is() {
    let delete = || Command::delete(id(3));
    let rejected = |absence| Decision::Reject(Rejection::Absent(absence));
    assert_eq!(decide(None, delete(), &moment(20)), rejected(Absence::NeverWritten));

    let expired = written(10, 1, Expiry::After(Duration::from_millis(5))).head();
    let at = UnixMillis(15);
    assert_eq!(decide(Some(&expired), delete(), &moment(15)), rejected(Absence::ExpiredAt(at)));

    let live = written(10, 1, Expiry::Never).head();
    let tombstone = committed(decide(Some(&live), delete(), &moment(20))).head();
    let at = UnixMillis(20);
    assert_eq!(decide(Some(&tombstone), delete(), &moment(30)), rejected(Absence::DeletedAt(at)));
}

#[test]
fn owner_and_creation_are_carried_on_until_the_key_is_gone() {
    let first = written(10, 1, Expiry::Never);
    let second = committed(decide(Some(&first.head()), put_if(Condition::Always), &moment(20)));
    assert_eq!((second.created_at, second.owner), (UnixMillis(10), first.owner));

    let gone = committed(decide(Some(&second.head()), Command::delete(id(3)), &moment(30)));
    assert_eq!(gone.owner, first.owner, "who might see the value may see that it is gone");
    let again = committed(decide(Some(&gone.head()), put_if(Condition::Always), &moment(40)));
    assert_eq!((again.created_at, again.owner), (UnixMillis(40), None));
}

#[test]
fn a_guarded_write_happens_only_to_what_the_permission_was_given_on() {
    let first = written(10, 1, Expiry::After(Duration::from_millis(15))).head();
    let there = Guard::of(Some(&first), UnixMillis(20));
    assert_eq!(there, Guard { present: true, owner: first.owner });
    let absent = Guard::of(None, UnixMillis(20));
    let put = |guard| put_if(Condition::Always).guarded(Some(guard));
    let moved = Decision::Reject(Rejection::Moved);
    let commits = |decision| matches!(decision, Decision::Commit { .. });
    assert!(commits(decide(Some(&first), put(there), &moment(20))));
    assert_eq!(decide(Some(&first), put(absent), &moment(20)), moved);
    // Expired, it is absent, and whoever may write it then is another question.
    assert_eq!(decide(Some(&first), put(there), &moment(25)), moved);
    assert!(commits(decide(Some(&first), put(absent), &moment(25))));
    let other = Guard { owner: None, ..there };
    assert_eq!(first.owner == other.owner, commits(decide(Some(&first), put(other), &moment(20))));
    assert_eq!(put_if(Condition::Always).guarded(None), put_if(Condition::Always));
}

#[test]
fn an_expiry_is_kept_only_from_a_live_version() {
    let keep = |fallback| Command::Put {
        body: value(),
        expiry: Expiry::Keep(fallback),
        condition: Condition::Always,
        uuid: id(9),
        author: None,
    };
    let expiring = written(10, 1, Expiry::After(Duration::from_millis(5))).head();
    let expiry =
        |now, fallback| committed(decide(Some(&expiring), keep(fallback), &moment(now))).expires_at;
    assert_eq!(expiry(14, None), Some(UnixMillis(15)));
    assert_eq!(expiry(15, None), None);
    assert_eq!(expiry(15, Some(Duration::from_millis(9))), Some(UnixMillis(24)));
}

#[test]
fn a_merged_version_keeps_its_stamp_and_wins_or_loses_by_the_order_alone() {
    let ours = written(20, 1, Expiry::Never);
    let theirs = written(10, 2, Expiry::Never);
    let late = moment(90);
    let lost = decide(Some(&ours.head()), Command::Merge(theirs.clone()), &late);
    assert_eq!(lost, Decision::Lost { version: theirs.clone(), reason: Superseded::Older });
    let won = decide(Some(&theirs.head()), Command::Merge(ours.clone()), &late);
    assert_eq!(won, Decision::Commit { version: ours.clone(), replaced: Some(Superseded::Older) });
    assert_eq!(decide(Some(&ours.head()), Command::Merge(ours.clone()), &late), Decision::Known);
}
