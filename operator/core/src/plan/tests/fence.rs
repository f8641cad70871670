use super::*;

fn fenced(ordinals: impl IntoIterator<Item = Ordinal>) -> Wish {
    Wish { fenced: ordinals.into_iter().collect(), ..wish(3) }
}

/// Node 1 is down, as it was asked for.
fn held() -> Observed {
    let mut seen = settled(3);
    seen.pods.insert(1, PodSeen { ready: Readiness::Never, ..super::pod() });
    seen.members.remove(&1);
    seen
}

#[test]
fn a_node_is_held_down_by_a_restart_that_waits_for_all_others() {
    let evict = Act::Evict { ordinal: 1, uid: "pod".into() };
    assert_eq!(plan(&fenced([1]), &settled(3)).act, Some(evict));
    let mut apart = settled(3);
    apart.members.get_mut(&0).unwrap().peers.get_mut(&node(2)).unwrap().agreed = None;
    let wait = plan(&fenced([1]), &apart);
    assert_eq!((wait.act.clone(), waits(&wait)), (None, vec!["NotAgreed"]));
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
    assert!(
        told.waits[0].on.needs_people() && told.waits[0].on.to_string().contains("spec.fenced")
    );
    // Neither a second one nor a change.
    assert_eq!(plan_of(&fenced([1, 2]), &held()).act, None);
    let mut rolling = held();
    rolling.set.as_mut().unwrap().update = "s".into();
    let wait = plan_of(&fenced([1]), &rolling);
    assert_eq!((wait.act.clone(), waits(&wait)), (None, vec!["Fenced", "Fenced"]));
    // Taken out, it goes on by itself.
    assert_eq!(waits(&plan_of(&wish(3), &held())), ["PodNotReady"]);
}
