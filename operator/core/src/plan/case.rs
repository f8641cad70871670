//! What is asked for and what is there, side by side.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::step::{Act, Kind, Plan, SetWanted, Wait};
use super::{Shut, disks, fence, leave, restore, rollout, set, shrink};
use crate::observed::{Life, Observed, Ordinal};
use crate::wish::Wish;

/// One look at a cluster.
pub(super) struct Case<'a> {
    pub(super) wish: &'a Wish,
    pub(super) seen: &'a Observed,
    /// Who counts as a member for anybody, and the name each goes by.
    pub(super) joined: BTreeMap<Uuid, Option<&'a str>>,
    /// How many pods there are to be as things are.
    pub(super) pods: u32,
}

/// What a stage of the plan comes to.
pub(super) enum Stage {
    /// It has nothing to do.
    Done,
    /// This is to be done now.
    Act(Kind, Act),
    /// Something is to be done, and cannot be yet. Later stages that disrupt nobody may go on.
    Wait(Kind, String, Shut),
}

/// Stages in the order in which they come. What is in flight comes before what begins.
const STAGES: &[fn(&Case<'_>) -> Stage] = &[
    disks::notes,
    restore::finish,
    birth,
    leave::gone,
    leave::drained,
    leave::forget,
    disks::growth,
    set::waits,
    fence::next,
    shrink::next,
    disks::replacement,
    rollout::next,
    disks::cleanup,
];

/// Several empty nodes found a cluster together. One that is all there is to be waits for others until
/// it is told that there are none.
fn birth(case: &Case<'_>) -> Stage {
    let one = case.pods == 1 && case.wish.replicas == 1 && case.seen.claims.len() == 1;
    match case.seen.members.first_key_value() {
        Some((ordinal, member)) if one && member.life == Life::Unborn && case.joined.is_empty() => {
            Stage::Act(Kind::Start, Act::Found { ordinal: *ordinal, node: member.node })
        }
        _ => Stage::Done,
    }
}

/// Whether every pod serves: until then a change is not done.
fn rest(case: &Case<'_>) -> Stage {
    match (0..case.pods).find_map(|ordinal| case.serves(ordinal).err()) {
        Some(shut) => Stage::Wait(Kind::Start, "have every pod serve".into(), shut),
        None => Stage::Done,
    }
}

impl<'a> Case<'a> {
    pub(super) fn new(wish: &'a Wish, seen: &'a Observed) -> Self {
        let pods = seen.set.as_ref().map_or(0, |set| set.replicas);
        Self { wish, seen, joined: seen.joined(), pods }
    }

    pub(super) fn plan(&self) -> Plan {
        let plan = self.step();
        Plan { held: fence::held(self, &plan), ..plan }
    }

    fn step(&self) -> Plan {
        if let Some(plan) = restore::first(self) {
            return plan;
        }
        let (wanted, kind) = match set::wanted(self) {
            Ok(found) => found,
            Err(shut) => return Plan::wait(Kind::Start, "apply the StatefulSet", shut),
        };
        if !self.is_so(&wanted) {
            return Plan { set: Some(wanted), kind: Some(kind), ..Plan::default() };
        }
        let mut plan = Plan { set: Some(wanted), ..Plan::default() };
        for stage in STAGES {
            match stage(self) {
                Stage::Done => {}
                Stage::Act(kind, act) => {
                    return Plan { act: Some(act), kind: Some(kind), ..plan };
                }
                Stage::Wait(kind, step, on) => {
                    plan.kind = plan.kind.or(Some(kind));
                    plan.waits.push(Wait { kind, step, on });
                }
            }
        }
        if plan.waits.is_empty()
            && let Stage::Wait(kind, step, on) = rest(self)
        {
            plan.kind = Some(kind);
            plan.waits.push(Wait { kind, step, on });
        }
        plan
    }

    fn is_so(&self, wanted: &SetWanted) -> bool {
        self.seen.set.as_ref().is_some_and(|set| {
            set.replicas == wanted.replicas
                && set.partition == wanted.partition
                && set.template == wanted.template
                && set.size == wanted.size
        })
    }

    /// Whose data is at an ordinal, as the claim says or as its node does.
    pub(super) fn node_at(&self, ordinal: Ordinal) -> Option<Uuid> {
        let member = self.seen.members.get(&ordinal).map(|member| member.node);
        member.or_else(|| self.seen.claims.get(&ordinal).and_then(|claim| claim.node))
    }

    /// A member that has, or had, this ordinal, as anybody knows it.
    pub(super) fn joined_at(&self, ordinal: Ordinal) -> Option<Uuid> {
        let name = self.wish.names.pod(ordinal);
        let node = self.node_at(ordinal).filter(|node| self.joined.contains_key(node));
        let named = || self.joined.iter().find(|(_, known)| **known == Some(name.as_str()));
        node.or_else(|| named().map(|(node, _)| *node))
    }

    /// Whether all of these say that neither the node of an ordinal nor one of its name is a member.
    pub(super) fn is_gone_for(
        &self,
        ordinal: Ordinal,
        others: &(impl Iterator<Item = Ordinal> + Clone),
    ) -> bool {
        let name = self.wish.names.pod(ordinal);
        let claim = self.seen.claims.get(&ordinal).and_then(|claim| claim.node);
        // A node that nobody ever saw has no id; asking for its name is all there is then.
        let nodes = [self.node_at(ordinal).unwrap_or_default(), claim.unwrap_or_default()];
        nodes.iter().all(|node| self.seen.gone_for(*node, others.clone()))
            && others.clone().all(|other| {
                self.seen.members.get(&other).is_some_and(|member| !member.counts_name(&name))
            })
    }
}
