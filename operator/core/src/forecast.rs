//! All steps that are to come, if nothing goes wrong: the plan, carried out on what is seen and not on
//! the cluster.

mod course;

#[cfg(test)]
mod tests;

use crate::observed::Observed;
use crate::plan::{Plan, SetWanted, plan};
use crate::wish::Wish;

use self::course::Course;

/// Most steps that are looked ahead.
const FARTHEST: usize = 500;

/// What is to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// The steps, in order, each with what it is for.
    pub steps: Vec<(&'static str, String)>,
    /// What it comes to a halt at, if it does.
    pub halts: Option<String>,
}

/// The steps from what is seen to what is asked for.
pub fn forecast(wish: &Wish, seen: &Observed) -> Forecast {
    let mut course = Course::new(wish, seen.clone());
    let mut made = Forecast::default();
    for _ in 0..FARTHEST {
        let next = plan(wish, &course.seen);
        let Some(kind) = next.kind else { return made };
        let changes = course.changes(&next);
        for step in told(&course.seen, &next, changes) {
            made.steps.push((kind.name(), step));
        }
        if course.take(&next, changes) {
            continue;
        }
        made.halts = next.waits.first().map(|wait| format!("{}: {}", wait.step, wait.on));
        return made;
    }
    made.halts = Some(format!("more than {FARTHEST} steps"));
    made
}

/// What people are told of a step. That pods wait for their turn goes without saying.
fn told(seen: &Observed, next: &Plan, changes: bool) -> Vec<String> {
    match &next.set {
        Some(wanted) if changes => of_set(seen, wanted),
        _ => next.act.iter().map(ToString::to_string).collect(),
    }
}

fn of_set(seen: &Observed, wanted: &SetWanted) -> Vec<String> {
    let mut steps = Vec::new();
    let Some(set) = &seen.set else {
        return vec![format!("make the StatefulSet with {} pods", wanted.replicas)];
    };
    if set.template != wanted.template {
        steps.push(format!("take over template {}; pods get it one by one", wanted.template));
    }
    if set.replicas != wanted.replicas {
        steps.push(format!("have {} pods instead of {}", wanted.replicas, set.replicas));
    }
    steps
}
