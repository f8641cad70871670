//! What a command does to a record: a pure function of the current version, the command and the
//! stamp it would get.

use std::time::Duration;

use thiserror::Error;

use crate::id::{UserId, VersionId};
use crate::merge::{Outcome, Superseded, merge};
use crate::stamp::{Stamp, UnixMillis};
use crate::version::{Absence, Body, Head, Origin, Version};

/// What somebody wants done to one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Write a body, if the condition holds.
    Put {
        /// What to write.
        body: Body,
        /// When it expires.
        expiry: Expiry,
        /// On what condition.
        condition: Condition,
        /// Identity of the new version.
        uuid: VersionId,
        /// Who writes; the owner if the key is new.
        author: Option<UserId>,
    },
    /// Write a tombstone, if the record is there and the condition holds.
    Delete {
        /// On what condition.
        condition: Condition,
        /// Identity of the new version.
        uuid: VersionId,
    },
    /// Take a version that another node accepted, if it wins.
    Merge(Version),
    /// Do this, if the record is still as it was when somebody was permitted to.
    Guarded(Guard, Box<Self>),
}

/// What a permission was given on. Who may write a key depends on whether it is there and on who
/// first wrote it; both can change until the write is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Whether the record was there.
    pub present: bool,
    /// Who first wrote it, if it was.
    pub owner: Option<UserId>,
}

impl Guard {
    /// The guard of a permission on the record whose newest version is `head`.
    pub fn of(head: Option<&Head>, now: UnixMillis) -> Self {
        let live = live(head, now);
        Self { present: live.is_some(), owner: live.and_then(|head| head.owner) }
    }
}

/// When a written version expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// This long after it is written.
    After(Duration),
    /// When the version it replaces does; if that is absent, after this long.
    Keep(Option<Duration>),
}

/// What must be true of the current version for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// The record is there.
    Present,
    /// The record is absent.
    Absent,
    /// The record is there and its version is one of these.
    Is(Vec<VersionId>),
    /// The record is absent or its version is none of these.
    IsNot(Vec<VersionId>),
}

/// When and where a command is carried out.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Wall time, one for a whole group.
    pub now: UnixMillis,
    /// The stamp that the new version would get.
    pub stamp: Stamp,
    /// The node that decides.
    pub origin: Origin,
}

/// What a command comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// This version becomes the current one.
    Commit {
        /// The new version.
        version: Version,
        /// Why the version that was current lost; nothing if there was none.
        replaced: Option<Superseded>,
    },
    /// The version that was to be merged lost; the current one stays.
    Lost {
        /// The loser.
        version: Version,
        /// Why it lost.
        reason: Superseded,
    },
    /// The version that was to be merged is the current one already.
    Known,
    /// Nothing is written.
    Reject(Rejection),
}

/// Why a command changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// There is nothing to delete.
    #[error("{0}")]
    Absent(Absence),
    /// The condition does not hold.
    #[error("the condition does not hold")]
    Condition {
        /// The version that is current, if the record is there.
        current: Option<VersionId>,
    },
    /// The record is not as it was when somebody was permitted to change it: ask again.
    #[error("the record changed while it was looked at")]
    Moved,
}

impl Command {
    /// A plain write without condition.
    pub const fn put(body: Body, uuid: VersionId) -> Self {
        Self::Put { body, expiry: Expiry::Never, condition: Condition::Always, uuid, author: None }
    }

    /// A plain delete without condition.
    pub const fn delete(uuid: VersionId) -> Self {
        Self::Delete { condition: Condition::Always, uuid }
    }

    /// The same, only while the guard holds; without one in any case.
    #[must_use]
    pub fn guarded(self, guard: Option<Guard>) -> Self {
        match guard {
            Some(guard) => Self::Guarded(guard, Box::new(self)),
            None => self,
        }
    }
}

impl Condition {
    /// Whether it holds while `current` is the version that is there.
    pub fn holds(&self, current: Option<VersionId>) -> bool {
        match self {
            Self::Always => true,
            Self::Present => current.is_some(),
            Self::Absent => current.is_none(),
            Self::Is(allowed) => current.is_some_and(|uuid| allowed.contains(&uuid)),
            Self::IsNot(denied) => current.is_none_or(|uuid| !denied.contains(&uuid)),
        }
    }
}

/// Decides what `command` does to the record whose newest version is `current`.
pub fn decide(current: Option<&Head>, command: Command, moment: &Moment) -> Decision {
    match command {
        Command::Put { body, expiry, condition, uuid, author } => {
            let live = live(current, moment.now);
            match check(&condition, live) {
                Err(rejection) => Decision::Reject(rejection),
                Ok(()) => put(current, body, expiry, uuid, author, moment),
            }
        }
        Command::Delete { condition, uuid } => delete(current, &condition, uuid, moment),
        Command::Merge(version) => merge_in(current, version),
        Command::Guarded(guard, command) if guard == Guard::of(current, moment.now) => {
            decide(current, *command, moment)
        }
        Command::Guarded(..) => Decision::Reject(Rejection::Moved),
    }
}

fn absence(current: Option<&Head>, now: UnixMillis) -> Option<Absence> {
    current.map_or(Some(Absence::NeverWritten), |head| head.absence(now))
}

fn live(current: Option<&Head>, now: UnixMillis) -> Option<&Head> {
    current.filter(|head| head.absence(now).is_none())
}

fn check(condition: &Condition, live: Option<&Head>) -> Result<(), Rejection> {
    let current = live.map(|head| head.uuid);
    if condition.holds(current) { Ok(()) } else { Err(Rejection::Condition { current }) }
}

fn put(
    current: Option<&Head>,
    body: Body,
    expiry: Expiry,
    uuid: VersionId,
    author: Option<UserId>,
    moment: &Moment,
) -> Decision {
    let live = live(current, moment.now);
    let after = |duration| moment.now.after(duration);
    let expires_at = match (expiry, live) {
        (Expiry::Never, _) => None,
        (Expiry::After(duration), _) => Some(after(duration)),
        (Expiry::Keep(_), Some(head)) => head.expires_at,
        (Expiry::Keep(duration), None) => duration.map(after),
    };
    let version = Version {
        stamp: moment.stamp,
        origin: moment.origin,
        uuid,
        created_at: live.map_or(moment.stamp.millis(), |head| head.created_at),
        owner: live.map_or(author, |head| head.owner),
        expires_at,
        body,
    };
    commit(current, version)
}

fn delete(
    current: Option<&Head>,
    condition: &Condition,
    uuid: VersionId,
    moment: &Moment,
) -> Decision {
    if let Err(rejection) = check(condition, live(current, moment.now)) {
        return Decision::Reject(rejection);
    }
    if let Some(absence) = absence(current, moment.now) {
        return Decision::Reject(Rejection::Absent(absence));
    }
    let tombstone = Version {
        stamp: moment.stamp,
        origin: moment.origin,
        uuid,
        created_at: moment.stamp.millis(),
        // Whoever might see the value may see that it was deleted.
        owner: current.and_then(|head| head.owner),
        expires_at: None,
        body: Body::Tombstone,
    };
    commit(current, tombstone)
}

fn commit(current: Option<&Head>, version: Version) -> Decision {
    Decision::Commit { version, replaced: current.map(|_| Superseded::Older) }
}

fn merge_in(current: Option<&Head>, version: Version) -> Decision {
    match current.map(|head| merge(&head.rank(), &version.rank())) {
        None => Decision::Commit { version, replaced: None },
        Some(Outcome::Same) => Decision::Known,
        Some(Outcome::First(reason)) => Decision::Lost { version, reason },
        Some(Outcome::Second(reason)) => Decision::Commit { version, replaced: Some(reason) },
    }
}

#[cfg(test)]
mod tests;
