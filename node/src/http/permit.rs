//! What a caller may do with one key: gathers what decides, asks, and says no in a way that tells
//! nobody more than they may know.

use std::time::Duration;

use kvs_core::access::{Action, Because, Decision};
use kvs_core::decide::{Condition, Guard};
use kvs_core::{Absence, Head, Key, RecordId, Right, UserId};

use super::{Call, Denial, Problem, denial};
use crate::records::Facts;

/// What a write wants beside the write itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wants {
    /// It depends on what is there, so it shows that.
    pub(super) read: bool,
    /// How long the value is to live, whoever says so.
    pub(super) ttl: Option<Duration>,
    /// It brings back a revision that belonged to somebody.
    pub(super) restores: Option<Restores>,
}

/// A revision that is to be written back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restores {
    /// Whose it was.
    pub(super) owner: Option<UserId>,
}

impl Wants {
    /// What a write under this condition wants.
    pub(super) fn of(condition: &Condition) -> Self {
        Self { read: *condition != Condition::Always, ..Self::default() }
    }
}

/// Whether the caller may write `key`; what the writer has to find there for that to count. Nothing
/// is looked up for callers who may do everything.
pub(super) async fn put(call: &Call, key: &Key, wants: Wants) -> Result<Option<Guard>, Problem> {
    if call.caller.is_unlimited() {
        return Ok(None);
    }
    let (facts, now) = (facts(call, key).await?, call.node.now());
    let guard = Guard::of(facts.head.as_ref(), now);
    let mut actions = vec![if guard.present { Action::Write } else { Action::Create }];
    if wants.read {
        actions.push(Action::Read);
    }
    if wants
        .ttl
        .is_some_and(|ttl| shortens(facts.head.as_ref().filter(|_| guard.present), ttl, now))
    {
        actions.push(Action::Shorten);
    }
    check(call, key, &facts, &actions)?;
    if let Some(Restores { owner }) = wants.restores {
        let former_owner = owner.filter(|owner| Some(*owner) != guard.owner);
        let resource = kvs_core::access::Resource { former_owner, ..facts.to_write(key, now) };
        permitted(call, key, &facts, &call.caller.decide(Action::Restore, &resource, now))?;
    }
    Ok(Some(guard))
}

/// Whether a value that is there would live shorter than it does.
fn shortens(live: Option<&Head>, ttl: Duration, now: kvs_core::UnixMillis) -> bool {
    live.is_some_and(|head| head.expires_at.is_none_or(|before| now.after(ttl) < before))
}

/// Whether the caller may delete `key`.
pub(super) async fn delete(call: &Call, key: &Key, wants: Wants) -> Result<Option<Guard>, Problem> {
    if call.caller.is_unlimited() {
        return Ok(None);
    }
    let facts = facts(call, key).await?;
    let actions = if wants.read { &[Action::Delete, Action::Read][..] } else { &[Action::Delete] };
    check(call, key, &facts, actions).map_err(|problem| hidden(call, key, &facts, problem))?;
    Ok(Some(Guard::of(facts.head.as_ref(), call.node.now())))
}

/// Whether the caller may do all of `actions` to `key`.
pub(super) fn check(
    call: &Call,
    key: &Key,
    facts: &Facts,
    actions: &[Action],
) -> Result<(), Problem> {
    let now = call.node.now();
    let decision = call.caller.decide_all(actions, &facts.to_write(key, now), now);
    permitted(call, key, facts, &decision)
}

/// What decides about a key.
pub(super) async fn facts(call: &Call, key: &Key) -> Result<Facts, Problem> {
    let head = call.node.version(&RecordId::value(key.clone())).await?;
    Ok(call.node.facts(key, head.as_ref().map(kvs_core::Version::head)).await?)
}

fn permitted(call: &Call, key: &Key, facts: &Facts, decision: &Decision) -> Result<(), Problem> {
    match decision {
        Decision::Allowed(_) => Ok(()),
        Decision::Denied(because) => Err(refusal(call, key, facts, because)),
    }
}

/// How a denial looks to somebody who may not see the key: as if it had never been.
fn refusal(call: &Call, key: &Key, facts: &Facts, because: &Because) -> Problem {
    let now = call.node.now();
    let of_bits = matches!(
        because,
        Because::Bit { .. }
            | Because::NotOwner(_)
            | Because::AboveOthers
            | Because::ForeignGroup(_)
    );
    if of_bits && call.caller.is_anonymous() {
        return Denial::Nameless.into();
    }
    let may_see = || call.caller.decide(Action::Read, &facts.to_read(key), now).is_allowed();
    if !of_bits || may_see() {
        return Denial::Rule(because.clone()).into();
    }
    match call.caller.decide(Action::Create, &facts.unwritten(key), now) {
        Decision::Denied(because) => Denial::Rule(because).into(),
        Decision::Allowed(_) => Denial::Unseen.into(),
    }
}

/// The same for what only changes what is there: nothing, to whoever may not see it.
pub(super) fn hidden(call: &Call, key: &Key, facts: &Facts, problem: Problem) -> Problem {
    let of_bits = matches!(
        &problem,
        Problem::Denied(Denial::Unseen | Denial::Rule(Because::Bit { .. } | Because::NotOwner(_)))
    );
    let seen = call.caller.decide(Action::Read, &facts.to_read(key), call.node.now());
    if !of_bits || seen.is_allowed() {
        return problem;
    }
    let right = if let Problem::Denied(denial) = &problem { denial.right() } else { None };
    denial::note_hidden(call, key, right.unwrap_or(Right::Write));
    Problem::Absent(Absence::NeverWritten)
}
