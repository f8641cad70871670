//! What is done next about a `KvsBackup`.
//!
//! A backup is asked for once. Before the node is asked it is written down which one is asked and since
//! when; whoever finds that note and no answer looks for what the node began since, and asks no more.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kvs_core::UnixMillis;
use uuid::Uuid;

use crate::crd::{BackupPhase, KvsBackupStatus};
use crate::names::Names;
use crate::observed::{Life, MemberSeen, Ordinal};
use crate::status::time;

#[cfg(test)]
mod tests;

/// What there is of the cluster.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// Its names.
    pub names: &'a Names,
    /// The nodes that it is to have; nothing if there is no such cluster.
    pub replicas: Option<u32>,
    /// The nodes that answer.
    pub members: &'a BTreeMap<Ordinal, MemberSeen>,
}

/// What is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing, for this reason.
    Wait(String),
    /// This node is asked for it.
    Begin(Ordinal),
    /// This node was asked; it is looked what it began since.
    Search(Ordinal),
    /// This node makes it; it is asked how far it is.
    Follow(Ordinal),
    /// Its node is gone; this one may see what it left.
    Seek(Ordinal),
    /// It failed.
    Fail(String),
    /// Nothing more.
    Over,
}

/// What is done next about a backup.
pub fn next(status: &KvsBackupStatus, seen: &Seen<'_>) -> Next {
    let cluster = &seen.names.cluster;
    match (status.phase, seen.replicas) {
        (BackupPhase::Succeeded | BackupPhase::Failed, _) => Next::Over,
        (BackupPhase::Pending, None) => {
            Next::Wait(format!("there is no KvsCluster {cluster} in this namespace"))
        }
        (BackupPhase::Pending, Some(_)) => begin(seen),
        (_, None) => Next::Fail(format!("KvsCluster {cluster} was deleted meanwhile")),
        (phase, Some(replicas)) => go_on(phase, status, seen, replicas),
    }
}

/// The highest node that can; it is also the first to be restarted, and so the last one chosen to hold
/// something up.
fn begin(seen: &Seen<'_>) -> Next {
    let able = |member: &MemberSeen| {
        member.life == Life::Serving && !member.draining && member.departure.is_none()
    };
    let mut members = seen.members.iter().rev();
    match members.find(|(_, member)| able(member)) {
        Some((ordinal, _)) => Next::Begin(*ordinal),
        None if seen.replicas == Some(0) => {
            Next::Wait(format!("{} runs no nodes now", seen.names.cluster))
        }
        None => Next::Wait(format!("no node of {} can make one now", seen.names.cluster)),
    }
}

fn go_on(phase: BackupPhase, status: &KvsBackupStatus, seen: &Seen<'_>, replicas: u32) -> Next {
    let node: Option<Uuid> = status.node.as_deref().and_then(|node| node.parse().ok());
    let member = status.member.as_deref().unwrap_or_default();
    let mut members = seen.members.iter();
    if let Some((ordinal, _)) = members.find(|(_, one)| Some(one.node) == node) {
        return match phase {
            BackupPhase::Starting => Next::Search(*ordinal),
            _ => Next::Follow(*ordinal),
        };
    }
    let all =
        replicas > 0 && u32::try_from(seen.members.len()).is_ok_and(|count| count >= replicas);
    match (all, phase, seen.members.keys().next()) {
        (true, BackupPhase::Running, Some(other)) => Next::Seek(*other),
        (true, ..) => Next::Fail(format!("the node of {member} is gone; {AGAIN}")),
        (false, ..) => Next::Wait(format!("{member} does not answer")),
    }
}

/// What a person does about a backup that failed.
const AGAIN: &str = "make another KvsBackup";

/// The note that a node is about to be asked.
pub fn asking(names: &Names, ordinal: Ordinal, member: &MemberSeen) -> KvsBackupStatus {
    KvsBackupStatus {
        phase: BackupPhase::Starting,
        member: Some(names.pod(ordinal)),
        node: Some(member.node.to_string()),
        asked: Some(MicroTime(instant(member.now))),
        ..KvsBackupStatus::default()
    }
}

/// A node says no: nothing began.
pub fn refused(why: &str) -> KvsBackupStatus {
    let message = Some(why.to_owned());
    KvsBackupStatus { message, ..KvsBackupStatus::default() }
}

/// The node makes it, under this name.
pub fn began(status: &KvsBackupStatus, name: &str) -> KvsBackupStatus {
    KvsBackupStatus {
        phase: BackupPhase::Running,
        message: None,
        backup: Some(name.to_owned()),
        started: shown(name).map(time),
        ..status.clone()
    }
}

/// It waits.
pub fn waiting(status: &KvsBackupStatus, why: String) -> KvsBackupStatus {
    KvsBackupStatus { message: Some(why), ..status.clone() }
}

/// There is none.
pub fn failed(status: &KvsBackupStatus, why: String, now: UnixMillis) -> KvsBackupStatus {
    KvsBackupStatus {
        phase: BackupPhase::Failed,
        message: Some(why),
        finished: Some(time(now)),
        ..status.clone()
    }
}

/// What a node has of backups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeBackups {
    /// Where they go.
    pub target: String,
    /// The name of the one that is being made.
    pub running: Option<String>,
    /// The last one that was made.
    pub last: Option<Made>,
    /// The last one that failed, and why.
    pub failure: Option<(String, String)>,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// Bytes that it takes.
    pub size: u64,
    /// When it was done, if that is known.
    pub done: Option<UnixMillis>,
}

/// Of a backup that is being made; nothing if its node no longer knows of it, and all that are there have
/// to be looked through.
pub fn follow(
    status: &KvsBackupStatus,
    node: &NodeBackups,
    at: UnixMillis,
) -> Option<KvsBackupStatus> {
    let is = |name: &str| status.backup.as_deref() == Some(name);
    let status = KvsBackupStatus { target: Some(node.target.clone()), ..status.clone() };
    if node.running.as_deref().is_some_and(is) {
        return Some(KvsBackupStatus { message: None, ..status });
    }
    if let Some(made) = node.last.as_ref().filter(|made| is(&made.name)) {
        return Some(succeeded(&status, made, at));
    }
    match &node.failure {
        Some((name, why)) if is(name) => Some(failed(&status, why.clone(), at)),
        _ => None,
    }
}

/// Of a backup that its node no longer knows of, from all that are there.
pub fn seek(status: &KvsBackupStatus, list: &[Made], at: UnixMillis) -> KvsBackupStatus {
    let name = status.backup.as_deref().unwrap_or_default();
    if let Some(made) = list.iter().find(|made| made.name == name) {
        return succeeded(status, made, at);
    }
    let why = format!("its node was stopped while it made it, so there is none; {AGAIN}");
    failed(status, why, at)
}

/// Of a backup that a node was asked for by somebody who did not hear the answer.
pub fn search(
    status: &KvsBackupStatus,
    node: &NodeBackups,
    list: &[Made],
    at: UnixMillis,
) -> KvsBackupStatus {
    let asked = status.asked.as_ref().map(|asked| asked.0.as_millisecond());
    let since = |name: &&str| {
        let shown = shown(name).and_then(|at| i64::try_from(at.0).ok());
        shown.zip(asked).is_some_and(|(shown, asked)| shown >= asked)
    };
    let failure = node.failure.as_ref().map(|(name, _)| name.as_str());
    let last = node.last.as_ref().map(|made| made.name.as_str());
    let listed = list.iter().map(|made| made.name.as_str()).filter(|name| of(name, status));
    let known = node.running.as_deref().into_iter().chain(last).chain(failure).chain(listed);
    match known.filter(since).min() {
        Some(name) => began(status, name),
        None => failed(
            status,
            format!("the operator was stopped as it asked for it, and nothing began; {AGAIN}"),
            at,
        ),
    }
}

/// Whether the node that was asked made it.
fn of(name: &str, status: &KvsBackupStatus) -> bool {
    let node = status.node.as_deref().unwrap_or_default().replace('-', "");
    let short = name.strip_prefix("kvs-").and_then(|rest| rest.split('-').next());
    short.is_some_and(|short| !short.is_empty() && node.starts_with(short))
}

fn succeeded(status: &KvsBackupStatus, made: &Made, at: UnixMillis) -> KvsBackupStatus {
    KvsBackupStatus {
        phase: BackupPhase::Succeeded,
        message: None,
        size: i64::try_from(made.size).ok(),
        finished: Some(time(made.done.unwrap_or(at))),
        ..status.clone()
    }
}

/// The moment that a backup of this name shows: names end in it, as `-20231114T221320123Z`.
pub fn shown(name: &str) -> Option<UnixMillis> {
    let (_, text) = name.rsplit_once('-')?;
    let text = text.strip_suffix('Z').filter(|text| text.len() == 18 && text.is_ascii())?;
    let (seconds, millis) = text.split_at(15);
    let at = DateTime::strptime("%Y%m%dT%H%M%S", seconds).ok()?;
    let at = at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    let millis: u64 = millis.parse().ok()?;
    Some(UnixMillis(u64::try_from(at).ok()?.checked_mul(1_000)?.checked_add(millis)?))
}

fn instant(at: UnixMillis) -> Timestamp {
    let millis = i64::try_from(at.0).unwrap_or_default();
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

/// When a backup was done that took so long.
pub fn done(created: Option<u64>, took: Option<u64>) -> Option<UnixMillis> {
    Some(UnixMillis(created?.saturating_add(took?)))
}
