use serde_json::json;

use super::*;
use uuid::Uuid;

use crate::observed::{Departure, Identity, Life, MemberSeen, PeerSeen, Standing};
use crate::plan::{Kind, Shut, Wait};

fn cluster() -> KvsCluster {
    serde_json::from_value(json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1",
        "kind": "KvsCluster",
        "metadata": { "name": "db", "namespace": "apps", "generation": 3 },
        "spec": { "storage": { "size": "1Gi" } },
    }))
    .unwrap()
}

fn told(cluster: &KvsCluster, plan: &Plan, now: u64) -> KvsClusterStatus {
    let (now, identity) = (UnixMillis(now), Identity::Present);
    let seen = Observed { now, identity, ..Observed::default() };
    status(&Told {
        cluster,
        seen: &seen,
        plan,
        template: "t",
        newer: None,
        trouble: None,
        unserved: None,
    })
}

fn condition(status: &KvsClusterStatus, kind: &str) -> (String, String) {
    let found = status.conditions.iter().find(|one| one.type_ == kind).unwrap();
    (found.status.clone(), found.reason.clone())
}

#[test]
fn where_nothing_changes_the_status_does_not_either() {
    let mut cluster = cluster();
    let first = told(&cluster, &Plan::default(), 1_000);
    cluster.status = Some(first.clone());
    assert_eq!(told(&cluster, &Plan::default(), 900_000), first);
    assert_eq!(first.endpoint.as_deref(), Some("http://db.apps.svc:8080"));
}

#[test]
fn a_step_that_waits_too_long_degrades_and_a_canary_or_a_backup_never_does() {
    let all = [
        (Shut::PodGoing(1), "True"),
        (Shut::Canary("t".into()), "False"),
        (Shut::Restoring, "False"),
    ];
    for (on, late) in all {
        let wait = Wait { kind: Kind::Rollout, step: "restart pod 1".into(), on };
        let plan = Plan { kind: Some(Kind::Rollout), waits: vec![wait], ..Plan::default() };
        let mut cluster = cluster();
        cluster.status = Some(told(&cluster, &plan, 0));
        let in_time = told(&cluster, &plan, 10 * 60_000);
        assert_eq!(condition(&in_time, "Degraded").0, "False");
        assert_eq!(condition(&told(&cluster, &plan, 10 * 60_000 + 1), "Degraded").0, late);
        assert_eq!(condition(&in_time, "Progressing"), ("True".into(), "Rollout".into()));
    }
}

#[test]
fn what_only_people_can_mend_is_said_at_once() {
    let wait = Wait { kind: Kind::Start, step: "start".into(), on: Shut::IdentityLost };
    let plan = Plan { kind: Some(Kind::Start), waits: vec![wait], ..Plan::default() };
    let status = told(&cluster(), &plan, 0);
    assert_eq!(condition(&status, "Degraded"), ("True".into(), "IdentityLost".into()));
    assert!(status.message.unwrap().contains("restore the Secret"));
}

#[test]
fn a_node_that_is_held_down_hides_nothing_that_is_worse() {
    let wait = |on| Wait { kind: Kind::Fence, step: "have every pod serve".into(), on };
    let held =
        Plan { kind: Some(Kind::Fence), waits: vec![wait(Shut::Fenced(1))], ..Plan::default() };
    let status = told(&cluster(), &held, 0);
    assert_eq!(condition(&status, "Degraded"), ("True".into(), "Fenced".into()));
    let refused = Shut::Refused("revisions: 300".into());
    let both = Plan { waits: vec![wait(Shut::Fenced(1)), wait(refused)], ..held };
    let status = told(&cluster(), &both, 0);
    assert_eq!(condition(&status, "Degraded"), ("True".into(), "ConfigurationRefused".into()));
}

/// A node at this ordinal that agreed a second ago with these.
fn node(ordinal: u32, departure: Option<Departure>, with: &[u32]) -> MemberSeen {
    let id = |ordinal: u32| Uuid::from_u128(u128::from(ordinal) + 1);
    let now = UnixMillis(100_000);
    let agreed = Some(UnixMillis(99_000));
    let (name, standing, reachable) = (None, Standing::Joined, true);
    let peer = PeerSeen { name, standing, reachable, agreed };
    MemberSeen {
        node: id(ordinal),
        version: None,
        life: Life::Serving,
        draining: false,
        departure,
        now,
        peers: with.iter().map(|other| (id(*other), peer.clone())).collect(),
    }
}

/// A cluster of so many pods, with these nodes.
fn of(replicas: u32, members: impl IntoIterator<Item = MemberSeen>) -> Observed {
    let mut seen = Observed { now: UnixMillis(100_000), ..Observed::default() };
    seen.members = (0..).zip(members).collect();
    seen.set = Some(crate::observed::SetSeen {
        uid: "set".into(),
        resource_version: "1".into(),
        replicas,
        partition: Some(replicas),
        template: "t".into(),
        size: 1,
        current: "r".into(),
        update: "r".into(),
        observed: true,
        deleting: false,
    });
    seen
}

fn status_of(seen: &Observed) -> KvsClusterStatus {
    let (cluster, plan) = (cluster(), Plan::default());
    let (cluster, plan) = (&cluster, &plan);
    status(&Told { cluster, seen, plan, template: "t", newer: None, trouble: None, unserved: None })
}

#[test]
fn who_has_left_and_still_answers_holds_nobody_behind() {
    let seen =
        of(2, [node(0, None, &[1]), node(1, None, &[0]), node(2, Some(Departure::Left), &[])]);
    assert_eq!(condition(&status_of(&seen), "Converged").0, "True");
}

#[test]
fn who_serves_and_has_not_agreed_with_all_is_apart() {
    let apart = |seen: &Observed| super::apart(&status_of(seen), seen).collect::<Vec<_>>();
    let (met, alone) = (node(0, None, &[1]), node(1, None, &[0]));
    assert!(apart(&of(2, [met.clone(), alone.clone()])).is_empty());
    let third = node(2, None, &[0]);
    let seen = of(3, [met.clone(), alone.clone(), third.clone()]);
    assert_eq!(condition(&status_of(&seen), "Converged").0, "False");
    assert_eq!(apart(&seen), [0, 1, 2]);
    // Who is being filled is not asked to compare.
    let filling = MemberSeen { life: Life::Filling, ..third.clone() };
    assert_eq!(apart(&of(3, [met.clone(), alone.clone(), filling])), [0, 1]);
    let leaving = MemberSeen { departure: Some(Departure::Leaving), ..third };
    assert_eq!(apart(&of(3, [met, alone, leaving])), [0, 1]);
}

#[test]
fn a_pod_that_waits_for_its_disk_says_so() {
    let mut seen = Observed { identity: Identity::Present, ..Observed::default() };
    seen.pods.insert(
        0,
        crate::observed::PodSeen {
            uid: "pod".into(),
            resource_version: "1".into(),
            revision: "r".into(),
            terminating: false,
            ready: crate::observed::Readiness::Never,
            trouble: Some("Unschedulable: none fits".into()),
            placed: false,
            reads_live: true,
        },
    );
    seen.claims.insert(
        0,
        crate::observed::ClaimSeen {
            uid: "claim".into(),
            resource_version: "1".into(),
            requested: 1,
            node: None,
            decommissioned: false,
            deleting: false,
            restore: None,
            trouble: Some("storage class fast has made none".into()),
        },
    );
    let status = status_of(&seen);
    assert_eq!(condition(&status, "Degraded"), ("True".into(), "PodFails".into()));
    assert_eq!(condition(&status, "StorageReady"), ("False".into(), "ClaimPending".into()));
    let message = status.message.unwrap();
    assert!(message.contains("class fast") && message.contains("none fits"), "{message}");
}

#[test]
fn crds_that_are_older_than_the_operator_are_a_reason_for_a_look() {
    let (cluster, seen, plan) = (cluster(), Observed::default(), Plan::default());
    let fields = Some("KvsCluster.spec.fenced");
    let told = Told {
        cluster: &cluster,
        seen: &seen,
        plan: &plan,
        template: "t",
        newer: None,
        trouble: None,
        unserved: fields,
    };
    let status = status(&told);
    assert_eq!(condition(&status, "Degraded"), ("True".into(), "CrdsOlder".into()));
    let message = status.message.unwrap();
    assert!(message.contains("drops KvsCluster.spec.fenced"), "{message}");
}
