use super::*;

fn fenced(ordinals: impl IntoIterator<Item = Ordinal>) -> Wish {
    Wish { fenced: ordinals.into_iter().collect(), ..wish(3) }
}

/// Node 1 is down, as it was asked for.
fn held() -> Observed {
    let mut seen = settled(3);
    seen.held.insert(1);
    seen.pods.insert(1, PodSeen { ready: Readiness::Never, ..super::pod() });
    seen.members.remove(&1);
    seen
}

#[test]
fn a_node_is_held_down_by_a_restart_that_waits_for_all_others() {
    let evict = Act::Evict { ordinal: 1, uid: "pod".into() };
    let hold = plan(&fenced([1]), &settled(3));
    assert_eq!((hold.act, hold.held), (Some(evict), [1].into()));
    let mut apart = settled(3);
    apart.members.get_mut(&0).unwrap().peers.get_mut(&node(2)).unwrap().agreed = None;
    let wait = plan(&fenced([1]), &apart);
    assert_eq!((wait.act.clone(), waits(&wait)), (None, vec!["NotAgreed"]));
    assert_eq!(wait.held, [].into(), "it starts again by itself meanwhile, and is needed");
    let asleep = Wish { mode: Mode::Hibernated, ..fenced([1]) };
    assert_eq!(plan(&asleep, &settled(3)).set.unwrap().replicas, 0);
}

#[test]
fn one_that_runs_and_does_not_serve_is_held_down_as_well() {
    let mut seen = settled(3);
    seen.pods.get_mut(&1).unwrap().ready = Readiness::Never;
    assert!(matches!(plan(&fenced([1]), &seen).act, Some(Act::Evict { ordinal: 1, .. })));
}

#[test]
fn one_that_is_down_is_told_of_and_takes_the_budget() {
    let plan_of = |wish: &Wish, seen: &Observed| plan(wish, seen);
    let told = plan_of(&fenced([1]), &held());
    assert_eq!((told.act.clone(), waits(&told)), (None, vec!["Fenced"]));
    assert_eq!(told.held, [1].into());
    assert!(
        told.waits[0].on.needs_people() && told.waits[0].on.to_string().contains("spec.fenced")
    );
    // Neither a second one nor a change.
    let both = plan_of(&fenced([1, 2]), &held());
    assert_eq!((both.act, both.held), (None, [1].into()));
    let mut rolling = held();
    rolling.set.as_mut().unwrap().update = "s".into();
    let wait = plan_of(&fenced([1]), &rolling);
    assert_eq!((wait.act.clone(), waits(&wait)), (None, vec!["Fenced", "Fenced"]));
    // Taken out, it goes on by itself.
    let free = plan_of(&wish(3), &held());
    assert_eq!((waits(&free), free.held), (vec!["PodNotReady"], [].into()));
}

#[test]
fn one_that_goes_to_be_held_down_stays_named_and_one_that_came_back_is_not() {
    let mut goes = settled(3);
    goes.held.insert(1);
    let mut back = goes.clone();
    goes.pods.get_mut(&1).unwrap().terminating = true;
    assert_eq!(plan(&fenced([1]), &goes).held, [1].into());
    // Nothing came of its restart, and another one is away by now.
    back.pods.get_mut(&2).unwrap().ready = Readiness::Lost(UnixMillis(NOW - 1));
    assert_eq!(plan(&fenced([1]), &back).held, [].into());
}

#[test]
fn one_that_does_not_run_is_held_down_once_all_others_agree() {
    let mut seen = held();
    seen.held.clear();
    seen.pods.get_mut(&1).unwrap().trouble = Some("Crashes".into());
    let hold = plan(&fenced([1]), &seen);
    assert_eq!(
        (hold.act, hold.held),
        (Some(Act::Evict { ordinal: 1, uid: "pod".into() }), [1].into())
    );
    seen.members.get_mut(&0).unwrap().peers.get_mut(&node(2)).unwrap().agreed = None;
    assert_eq!(waits(&plan(&fenced([1]), &seen)), ["NotAgreed"]);
}

#[test]
fn a_pod_that_knows_nothing_of_it_is_not_restarted_for_nothing() {
    let mut seen = settled(3);
    seen.pods.get_mut(&1).unwrap().reads_live = false;
    let wait = plan(&fenced([1]), &seen);
    assert_eq!((wait.act.clone(), waits(&wait)), (None, vec!["OldTemplate"]));
    assert!(wait.waits[0].on.to_string().contains("kubectl kvs adopt"));
    assert_eq!(wait.held, [].into());
}
