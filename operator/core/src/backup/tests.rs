use super::*;
use crate::observed::Departure;

const NODE: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef << 64);
/// The moment that `NAME` shows.
const ASKED: UnixMillis = UnixMillis(1_700_000_000_123);
const NAME: &str = "kvs-0123456789ab-20231114T221320123Z";
const EARLIER: &str = "kvs-0123456789ab-20231114T221320122Z";
const OTHERS: &str = "kvs-ffffffffffff-20231114T221321000Z";

fn member(node: Uuid, life: Life) -> MemberSeen {
    MemberSeen {
        node,
        version: None,
        life,
        draining: false,
        departure: None,
        now: ASKED,
        peers: BTreeMap::new(),
    }
}

fn ask(status: &KvsBackupStatus, replicas: Option<u32>, members: &[(u32, MemberSeen)]) -> Next {
    let (names, members) = (Names::new("db", "apps"), members.iter().cloned().collect());
    next(status, &Seen { names: &names, replicas, members: &members })
}

fn starting() -> KvsBackupStatus {
    asking(&Names::new("db", "apps"), 2, &member(NODE, Life::Serving))
}

fn running() -> KvsBackupStatus {
    began(&starting(), NAME)
}

fn made(name: &str) -> Made {
    Made { name: name.to_owned(), size: 5, done: Some(UnixMillis(ASKED.0 + 2_000)) }
}

#[test]
fn the_highest_node_that_serves_is_asked() {
    let fresh = KvsBackupStatus::default();
    let [zero, one, two] = [1, 2, 3].map(|id| member(Uuid::from_u128(id), Life::Serving));
    let mut members = [(0, zero), (1, one), (2, two)];
    assert_eq!(ask(&fresh, Some(3), &members), Next::Begin(2));
    members[2].1.draining = true;
    assert_eq!(ask(&fresh, Some(3), &members), Next::Begin(1));
    members[1].1.departure = Some(Departure::Leaving);
    assert_eq!(ask(&fresh, Some(3), &members), Next::Begin(0));
    members[0].1.life = Life::Filling;
    let Next::Wait(why) = ask(&fresh, Some(3), &members) else { panic!() };
    assert_eq!(why, "no node of db can make one now");
}

#[test]
fn what_cannot_begin_yet_waits_and_says_for_what() {
    let fresh = KvsBackupStatus::default();
    for (replicas, says) in [
        (None, "there is no KvsCluster db in this namespace"),
        (Some(0), "db runs no nodes now"),
        (Some(3), "no node of db can make one now"),
    ] {
        assert_eq!(ask(&fresh, replicas, &[]), Next::Wait(says.to_owned()));
    }
}

#[test]
fn a_node_that_was_asked_is_never_asked_again() {
    let there = [(2, member(NODE, Life::Serving))];
    let moved = [(0, member(NODE, Life::Filling)), (1, member(Uuid::nil(), Life::Serving))];
    assert_eq!(ask(&starting(), Some(3), &there), Next::Search(2));
    assert_eq!(ask(&starting(), Some(3), &moved), Next::Search(0));
    assert_eq!(ask(&running(), Some(3), &there), Next::Follow(2));
    let waits = Next::Wait("db-2 does not answer".to_owned());
    for status in [starting(), running()] {
        assert_eq!(ask(&status, Some(3), &[(0, member(Uuid::nil(), Life::Serving))]), waits);
        assert_eq!(ask(&status, Some(0), &[]), waits);
        assert!(matches!(ask(&status, None, &[]), Next::Fail(_)));
    }
}

#[test]
fn a_backup_ends_when_its_node_is_gone_for_good() {
    let others = [0, 1].map(|at| (at, member(Uuid::from_u128(9 + u128::from(at)), Life::Serving)));
    assert!(matches!(ask(&starting(), Some(2), &others), Next::Fail(_)));
    assert_eq!(ask(&running(), Some(2), &others), Next::Seek(0));
    for phase in [BackupPhase::Succeeded, BackupPhase::Failed] {
        let over = KvsBackupStatus { phase, ..running() };
        assert_eq!(ask(&over, Some(2), &others), Next::Over);
        assert_eq!(ask(&over, None, &[]), Next::Over);
    }
}

#[test]
fn a_refusal_is_no_beginning() {
    let status = refused("one at a time is");
    assert_eq!((status.phase, status.node), (BackupPhase::Pending, None));
    assert_eq!(status.message.as_deref(), Some("one at a time is"));
}

#[test]
fn a_backup_is_followed_to_its_end() {
    let target = "s3://b/p".to_owned();
    let node = |running: Option<&str>| NodeBackups {
        target: target.clone(),
        running: running.map(str::to_owned),
        ..NodeBackups::default()
    };
    let now = follow(&running(), &node(Some(NAME)), ASKED).unwrap();
    assert_eq!((now.phase, now.target.as_deref()), (BackupPhase::Running, Some("s3://b/p")));
    assert_eq!(now.started, Some(time(ASKED)));

    let last = NodeBackups { last: Some(made(NAME)), ..node(None) };
    let now = follow(&running(), &last, UnixMillis(0)).unwrap();
    assert_eq!((now.phase, now.size), (BackupPhase::Succeeded, Some(5)));
    assert_eq!(now.finished, Some(time(UnixMillis(ASKED.0 + 2_000))));

    let failure = Some((NAME.to_owned(), "the disk is full".to_owned()));
    let now = follow(&running(), &NodeBackups { failure, ..node(None) }, ASKED).unwrap();
    assert_eq!(now.phase, BackupPhase::Failed);
    assert_eq!(now.message.as_deref(), Some("the disk is full"));
}

#[test]
fn a_node_that_forgot_a_backup_leaves_it_to_the_list() {
    let others = NodeBackups { last: Some(made(OTHERS)), ..NodeBackups::default() };
    assert_eq!(follow(&running(), &others, ASKED), None);
    let found = seek(&running(), &[made(OTHERS), made(NAME)], ASKED);
    assert_eq!((found.phase, found.size), (BackupPhase::Succeeded, Some(5)));
    let gone = seek(&running(), &[made(OTHERS)], ASKED);
    assert_eq!(gone.phase, BackupPhase::Failed);
}

#[test]
fn what_the_node_began_since_it_was_asked_is_the_backup() {
    let running = NodeBackups { running: Some(NAME.into()), ..NodeBackups::default() };
    let last = NodeBackups { last: Some(made(NAME)), ..NodeBackups::default() };
    let failure = Some((NAME.to_owned(), String::new()));
    let failed = NodeBackups { failure, ..NodeBackups::default() };
    let none = NodeBackups::default();
    for (node, list) in
        [(running, vec![]), (last, vec![]), (failed, vec![]), (none, vec![made(NAME)])]
    {
        let found = search(&starting(), &node, &list, ASKED);
        assert_eq!((found.phase, found.backup.as_deref()), (BackupPhase::Running, Some(NAME)));
    }
}

#[test]
fn what_is_older_or_another_nodes_is_not_the_backup_and_nothing_is_asked_again() {
    let node = NodeBackups { running: Some(EARLIER.into()), ..NodeBackups::default() };
    let found = search(&starting(), &node, &[made(EARLIER), made(OTHERS)], ASKED);
    assert_eq!((found.phase, found.backup), (BackupPhase::Failed, None));
    assert!(found.message.unwrap().contains("make another KvsBackup"));
}

#[test]
fn names_tell_the_moment_that_they_show() {
    assert_eq!(shown(NAME), Some(ASKED));
    for text in [
        "",
        "kvs",
        "kvs-0123456789ab-20231114T22132012Z",
        "kvs-0123456789ab-20231314T221320123Z",
        "kvs-0123456789ab-20231114T221320123",
        "kvs-0123456789ab-2023111éT22132012Z",
    ] {
        assert_eq!(shown(text), None, "{text}");
    }
}
