//! The kinds beside `KvsCluster`: each rule, judged by the API server itself.

use serde_json::{Value, json};

use super::table::Wrong;
use super::{answer, changed, says};
use crate::failure::Failure;
use crate::site::Site;

const BACKUP: &str = "KvsBackup";
const SCHEDULE: &str = "KvsBackupSchedule";
const USER: &str = "KvsUser";

/// A kind, what is wrong of it beside `cluster: db`, and what is said of that.
type Refused = (&'static str, &'static str, &'static str);

static SPECS: &[Refused] = &[
    (BACKUP, "cluster: ''", "should be at least 1 chars long"),
    (BACKUP, "target: s3://a", "unknown field \"spec.target\""),
    (SCHEDULE, "{}", "spec.schedule: Required value"),
    (SCHEDULE, "schedule: 0 3 * *", "must be five cron fields in UTC"),
    (SCHEDULE, "schedule: '60 3 * * *'", "minute 0-59"),
    (SCHEDULE, "schedule: '@daily    '", "must be five cron fields in UTC"),
    (SCHEDULE, "{schedule: 0 3 * * *, keep: 0}", "greater than or equal to 1"),
    (USER, "scopes: [fly]", "spec.scopes are read, write or delete"),
    (USER, "scopes: ['read:']", "as write:home/room"),
    (USER, "scopes: [read, read]", "Duplicate value"),
    (USER, "groups: [a b]", "spec.groups are names of groups"),
    (USER, "userName: a b", "must begin with a letter or digit"),
    (USER, "userName: root", "root is the cluster's own first user"),
    (USER, "{userName: a, serviceAccount: {name: a}}", "exclude each other"),
    (USER, "{token: {secretName: a}, serviceAccount: {name: a}}", "Leave one of them out"),
    (USER, "token: {secretName: A}", "must be a Secret's name"),
    (USER, "token: {secretName: a, ttl: 9m}", "must be 10m or more"),
    (USER, "token: {}", "spec.token.secretName: Required value"),
];

static NAMES: &[Refused] = &[
    (
        SCHEDULE,
        "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz",
        "has more than 52 characters; choose a shorter one",
    ),
    (
        USER,
        "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghij",
        "has more than 63 characters; choose a shorter one",
    ),
    (USER, "root", "root is the cluster's own first user"),
];

/// A kind, its spec before and after, and what is said of the change.
static CHANGES: &[(&str, &str, &str, &str)] = &[
    (BACKUP, "{}", "cluster: other", "make another KvsBackup"),
    (
        SCHEDULE,
        "schedule: 0 3 * * *",
        "{schedule: 0 3 * * *, cluster: other}",
        "Make another KvsBackupSchedule",
    ),
    (USER, "{}", "cluster: other", "spec.cluster cannot change"),
    (USER, "userName: a", "userName: b", "spec.userName cannot change"),
    (USER, "{}", "serviceAccount: {name: a}", "spec.serviceAccount cannot change"),
    (USER, "token: {secretName: a}", "{}", "spec.token.secretName cannot change"),
];

/// Tries all of them; how many there are.
///
/// # Errors
///
/// One is not refused, or not with these words.
pub(super) async fn run(site: &Site, space: &str) -> Result<usize, Failure> {
    for (kind, spec, words) in SPECS {
        let object = object(kind, "wrong", &serde_saphyr::from_str(spec)?);
        let answered = answer(site, "POST", &path(space, kind), &object).await;
        says(answered, &Wrong { what: spec, says: words })?;
    }
    for (kind, name, words) in NAMES {
        let spec = json!({ "schedule": "0 3 * * *" });
        let spec = if *kind == SCHEDULE { spec } else { json!({}) };
        let answered = answer(site, "POST", &path(space, kind), &object(kind, name, &spec)).await;
        says(answered, &Wrong { what: name, says: words })?;
    }
    for (kind, from, to, words) in CHANGES {
        let read = |text: &str| -> Result<Value, Failure> {
            Ok(object(kind, "changing", &serde_saphyr::from_str(text)?))
        };
        let answered = changed(site, space, &read(from)?, &read(to)?).await?;
        says(answered, &Wrong { what: to, says: words })?;
    }
    Ok(SPECS.len() + NAMES.len() + CHANGES.len())
}

fn path(space: &str, kind: &str) -> String {
    format!("{space}/{}s", kind.to_lowercase())
}

fn object(kind: &str, name: &str, fields: &Value) -> Value {
    let mut spec = json!({ "cluster": "db" });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({
        "apiVersion": "kvs.kalzu.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name }, "spec": spec,
    })
}
