//! What is done next about a `KvsBackupSchedule`: which `KvsBackup` is made, which ones go.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kvs_config::Schedule;
use kvs_core::UnixMillis;
use serde_json::{Value, json};

use crate::crd::{BackupPhase, KvsBackup, KvsBackupSchedule, KvsBackupScheduleStatus};
use crate::names::MANAGER;
use crate::ready::Judged;
use crate::status::time;

#[cfg(test)]
mod tests;

/// The label of a `KvsBackup`: the schedule that it was made by.
pub const SCHEDULE: &str = "kvs.kalzu.dev/schedule";
/// How long it is not looked again where nothing is due: clocks are set now and then.
pub const AT_MOST: u64 = 10 * 60 * 1_000;

/// What is done next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// The `KvsBackup` that is made. Its name is that of the time when it was due, so it is made once.
    pub make: Option<Value>,
    /// The `KvsBackup`s that go.
    pub delete: Vec<String>,
    /// What people are told.
    pub status: KvsBackupScheduleStatus,
    /// In how many milliseconds something is due.
    pub again: u64,
}

/// What is done next, from the `KvsBackup`s that this schedule has made.
pub fn turn(of: &KvsBackupSchedule, backups: &[KvsBackup], now: UnixMillis) -> Turn {
    let mut own: Vec<&KvsBackup> = backups.iter().filter(|one| is_of(one, of)).collect();
    own.sort_by_key(|one| made_at(one));
    match of.spec.schedule.parse::<Schedule>() {
        Ok(schedule) => due(of, &own, &schedule, now),
        Err(error) => {
            let judged = Judged::ill("InvalidSchedule", format!("spec.schedule: {error}"));
            let status = status(of, &own, now, &judged, None);
            Turn { status, again: AT_MOST, ..Turn::default() }
        }
    }
}

fn due(of: &KvsBackupSchedule, own: &[&KvsBackup], schedule: &Schedule, now: UnixMillis) -> Turn {
    let before = of.status.as_ref().and_then(|status| status.last.as_ref()).map(millis);
    let last = own.last().map(|one| made_at(one));
    let begun = of.metadata.creation_timestamp.as_ref().map(millis);
    // A clock that was set back must not put the next one off.
    let since = before.max(last).max(begun).unwrap_or(now.0).min(now.0);
    let next = schedule.next_after(since);
    let running = own.iter().find(|one| !phase(one).is_over());
    let is_due = next.is_some_and(|next| next <= now.0);
    let make = next.filter(|_| is_due && running.is_none() && !of.spec.suspend);
    let delete = superfluous(of, own);
    let next = if make.is_some() { schedule.next_after(now.0) } else { next };
    let shown = next.filter(|_| !of.spec.suspend);
    let mut status = status(of, own, now, &judged(of, own), shown);
    if make.is_some() {
        status.last = Some(time(now));
    }
    let again = next.unwrap_or(u64::MAX).saturating_sub(now.0).clamp(1_000, AT_MOST);
    // A backup that is under way is heard of when it is over.
    let again = if is_due && make.is_none() { AT_MOST } else { again };
    Turn { make: make.map(|due| backup(of, due)), delete, status, again }
}

/// The `KvsBackup` that was due then.
fn backup(of: &KvsBackupSchedule, due: u64) -> Value {
    let name = of.metadata.name.clone().unwrap_or_default();
    json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1",
        "kind": "KvsBackup",
        "metadata": {
            "name": format!("{name}-{}", due / 60_000),
            "namespace": of.metadata.namespace,
            "labels": { SCHEDULE: name, "app.kubernetes.io/managed-by": MANAGER },
            "ownerReferences": [{
                "apiVersion": "kvs.kalzu.dev/v1alpha1",
                "kind": "KvsBackupSchedule",
                "name": name,
                "uid": of.metadata.uid,
                "controller": true,
            }],
        },
        "spec": { "cluster": of.spec.cluster },
    })
}

fn is_of(backup: &KvsBackup, of: &KvsBackupSchedule) -> bool {
    let owners = backup.metadata.owner_references.iter().flatten();
    let uid = of.metadata.uid.as_deref();
    owners.into_iter().any(|owner| uid == Some(owner.uid.as_str()))
}

/// Those that are over, but for the newest; of what succeeded the newest always stays.
fn superfluous(of: &KvsBackupSchedule, own: &[&KvsBackup]) -> Vec<String> {
    let keep = usize::try_from(of.spec.keep).unwrap_or(1).max(1);
    let success = newest(own, BackupPhase::Succeeded);
    let over = own.iter().rev().filter(|one| phase(one).is_over()).skip(keep);
    let old = over.filter(|one| success.is_none_or(|newest| !std::ptr::eq(newest, **one)));
    old.filter_map(|one| one.metadata.name.clone()).collect()
}

fn newest<'a>(own: &[&'a KvsBackup], wanted: BackupPhase) -> Option<&'a KvsBackup> {
    own.iter().rev().find(|one| phase(one) == wanted).copied()
}

/// Whether all is well: what the last one that is over came to.
fn judged(of: &KvsBackupSchedule, own: &[&KvsBackup]) -> Judged {
    let last = own.iter().rev().find(|one| phase(one).is_over());
    let said = |one: &KvsBackup| one.status.as_ref().and_then(|status| status.message.clone());
    match last {
        _ if of.spec.suspend => Judged::ill("Suspended", "spec.suspend is true"),
        Some(one) if phase(one) == BackupPhase::Failed => {
            let name = one.metadata.name.as_deref().unwrap_or_default();
            Judged::ill("LastFailed", format!("{name}: {}", said(one).unwrap_or_default()))
        }
        _ => Judged::well("Scheduled"),
    }
}

fn status(
    of: &KvsBackupSchedule,
    own: &[&KvsBackup],
    now: UnixMillis,
    judged: &Judged,
    next: Option<u64>,
) -> KvsBackupScheduleStatus {
    let before = of.status.clone().unwrap_or_default();
    let running = own.iter().find(|one| !phase(one).is_over());
    let success = newest(own, BackupPhase::Succeeded);
    let success = success.and_then(|one| one.status.as_ref()?.finished.clone());
    let last = own.last().map(|one| time(UnixMillis(made_at(one))));
    KvsBackupScheduleStatus {
        conditions: vec![judged.condition(&before.conditions, of.metadata.generation, now)],
        observed_generation: of.metadata.generation,
        message: judged.shown(),
        last: before.last.max(last),
        last_success: success.or(before.last_success),
        next: next.map(|next| time(UnixMillis(next))),
        running: running.and_then(|one| one.metadata.name.clone()),
    }
}

fn phase(backup: &KvsBackup) -> BackupPhase {
    backup.status.as_ref().map(|status| status.phase).unwrap_or_default()
}

fn made_at(backup: &KvsBackup) -> u64 {
    backup.metadata.creation_timestamp.as_ref().map(millis).unwrap_or_default()
}

fn millis(time: &Time) -> u64 {
    u64::try_from(time.0.as_millisecond()).unwrap_or_default()
}
