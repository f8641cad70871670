use super::*;

/// 2023-11-14 22:13:20 UTC.
const NOW: u64 = 1_700_000_000_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// The beginning of NOW's minute.
const DUE: u64 = NOW / MINUTE * MINUTE;

fn every_minute(spec: Value) -> KvsBackupSchedule {
    let mut object = json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsBackupSchedule",
        "metadata": {
            "name": "nightly", "namespace": "apps", "uid": "u1", "generation": 1,
            "creationTimestamp": time(UnixMillis(NOW - 2 * HOUR)),
        },
        "spec": { "cluster": "db", "schedule": "* * * * *" },
    });
    let Value::Object(fields) = spec else { panic!() };
    for (name, value) in fields {
        object["spec"][name] = value;
    }
    serde_json::from_value(object).unwrap()
}

/// A `KvsBackup` that was made so long before `NOW`.
fn backup(name: &str, before: u64, phase: BackupPhase) -> KvsBackup {
    let made = time(UnixMillis(NOW - before));
    serde_json::from_value(json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsBackup",
        "metadata": {
            "name": name, "creationTimestamp": made,
            "ownerReferences": [
                { "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": "KvsBackupSchedule",
                  "name": "nightly", "uid": "u1" },
            ],
        },
        "spec": { "cluster": "db" },
        "status": { "phase": phase, "finished": made, "message": format!("{name} says so") },
    }))
    .unwrap()
}

use BackupPhase::{Failed, Pending, Running, Succeeded};

fn at(of: &KvsBackupSchedule, backups: &[KvsBackup]) -> Turn {
    turn(of, backups, UnixMillis(NOW))
}

#[test]
fn what_is_due_is_made_once_under_the_name_of_its_time() {
    let of = every_minute(json!({}));
    let first = at(&of, &[backup("old", MINUTE, Succeeded)]);
    let made = first.make.unwrap();
    assert_eq!(made["metadata"]["name"], format!("nightly-{}", DUE / MINUTE));
    assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], "u1");
    assert_eq!(made["spec"]["cluster"], "db");
    serde_json::from_value::<KvsBackup>(made).unwrap();
    assert_eq!(first.status.last, Some(time(UnixMillis(NOW))));
    assert_eq!(first.status.next, Some(time(UnixMillis(DUE + MINUTE))));
    // Whether the next look sees what was made, or only what it wrote down.
    let seen = at(&of, &[backup("new", 1_000, Succeeded)]);
    let status = Some(first.status);
    let noted = at(&KvsBackupSchedule { status, ..of }, &[]);
    for turn in [seen, noted] {
        assert_eq!(turn.make, None);
        assert_eq!(turn.status.next, Some(time(UnixMillis(DUE + MINUTE))));
    }
}

#[test]
fn missed_times_are_made_up_for_once() {
    let of = every_minute(json!({}));
    let turn = at(&of, &[backup("old", HOUR, Succeeded)]);
    assert!(turn.make.is_some());
    let status = Some(turn.status);
    let again = at(&KvsBackupSchedule { status, ..of }, &[backup("old", HOUR, Succeeded)]);
    assert_eq!(again.make, None);
}

#[test]
fn one_is_made_at_a_time_also_of_those_that_wait() {
    let of = every_minute(json!({}));
    for phase in [Pending, BackupPhase::Starting, Running] {
        let turn = at(&of, &[backup("old", HOUR, phase)]);
        assert_eq!((turn.make, turn.status.running.as_deref()), (None, Some("old")), "{phase:?}");
        assert_eq!(turn.again, AT_MOST);
    }
    assert!(at(&of, &[backup("old", HOUR, Failed)]).make.is_some());
}

#[test]
fn one_that_is_suspended_makes_none_and_says_so() {
    let turn = at(&every_minute(json!({ "suspend": true })), &[backup("old", HOUR, Succeeded)]);
    assert_eq!((turn.make, turn.status.next), (None, None));
    assert_eq!(turn.status.conditions[0].reason, "Suspended");
}

#[test]
fn only_the_newest_stay_and_the_last_success_among_them() {
    let of = every_minute(json!({ "keep": 2 }));
    let backups = [
        backup("d", 1_000, Running),
        backup("a", 9 * MINUTE, Succeeded),
        backup("b", 8 * MINUTE, Succeeded),
        backup("c", 7 * MINUTE, Failed),
        backup("e", 6 * MINUTE, Failed),
        backup("0", 10 * MINUTE, Failed),
    ];
    assert_eq!(at(&of, &backups).delete, ["a", "0"]);
    let mut others = backups.clone();
    for other in &mut others {
        other.metadata.owner_references = None;
    }
    assert_eq!(at(&of, &others).delete, Vec::<String>::new());
}

#[test]
fn the_last_one_that_is_over_says_whether_all_is_well() {
    let of = every_minute(json!({}));
    let well = at(&of, &[backup("a", 9, Succeeded)]).status;
    assert_eq!((well.conditions[0].status.as_str(), well.message), ("True", None));
    assert_eq!(well.last_success, Some(time(UnixMillis(NOW - 9))));
    let ill = at(&of, &[backup("a", 9 * MINUTE, Succeeded), backup("b", MINUTE, Failed)]).status;
    assert_eq!(ill.conditions[0].reason, "LastFailed");
    assert_eq!(ill.message.as_deref(), Some("b: b says so"));
    assert_eq!(ill.last_success, Some(time(UnixMillis(NOW - 9 * MINUTE))));
}

#[test]
fn a_time_that_never_comes_is_named_and_makes_nothing() {
    let turn = at(&every_minute(json!({ "schedule": "0 0 30 2 *" })), &[]);
    assert_eq!((turn.make, turn.status.conditions[0].reason.as_str()), (None, "InvalidSchedule"));
    assert_eq!(turn.status.message.as_deref(), Some("spec.schedule: no month has such a day"));
}

#[test]
fn a_clock_that_was_set_back_puts_nothing_off() {
    let of = every_minute(json!({}));
    let ahead = backup("ahead", 0, Succeeded);
    let turn = turn(&of, &[ahead], UnixMillis(NOW - HOUR));
    assert!(turn.again <= MINUTE, "{}", turn.again);
}

#[test]
fn nothing_is_written_where_nothing_changed() {
    let of = every_minute(json!({ "schedule": "0 3 * * *" }));
    let first = at(&of, &[backup("a", 9, Succeeded)]).status;
    let of = KvsBackupSchedule { status: Some(first.clone()), ..of };
    assert_eq!(turn(&of, &[backup("a", 9, Succeeded)], UnixMillis(NOW + 5_000)).status, first);
}
