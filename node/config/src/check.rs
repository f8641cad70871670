//! Rules about text that a type cannot say, and about settings that must fit together.

use std::path::PathBuf;

use crate::{
    backup::{BackupTarget, check_endpoint},
    error::{Problem, Reason},
    load::Effective,
    schedule::Schedule,
    seed::Seed,
    settings::Settings,
    size::Size,
};

/// What breaks a rule in `effective`.
pub(crate) fn refusals(effective: &Effective) -> impl Iterator<Item = Problem> {
    let settings = &effective.settings;
    let broken = [
        ("node_id", node_id(settings)),
        ("data_dir", data_dir(settings)),
        ("cors_allowed_origins", cors(settings)),
        ("seed_nodes", seed_nodes(settings)),
        ("limits.streams_per_caller", streams(settings)),
        ("queue_size", queue_size(settings)),
        ("limits.batch_size", fits_value(settings, settings.limits.batch_size)),
        ("limits.answer_size", fits_value(settings, settings.limits.answer_size)),
        ("backup_schedule", backup_schedule(settings)),
        ("backup_target", backup_target(settings)),
        ("backup_s3.endpoint", backup_endpoint(settings)),
        backup_key(settings),
        peer_tls(settings),
        tls(settings),
    ];
    broken.into_iter().filter_map(|(path, reason)| Some(effective.problem(path, reason?)))
}

/// The longest name that DNS allows.
const NODE_ID_MAX: usize = 253;

fn node_id(settings: &Settings) -> Option<Reason> {
    let name = settings.node_id.as_deref()?;
    let fine = (1..=NODE_ID_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
    let wanted = || format!("of 1 to {NODE_ID_MAX} bytes without control characters");
    (!fine).then(|| Reason::not_a("name", &name.escape_debug().to_string(), Some(wanted())))
}

fn data_dir(settings: &Settings) -> Option<Reason> {
    settings.data_dir.as_os_str().is_empty().then_some(Reason::NoValue)
}

fn cors(settings: &Settings) -> Option<Reason> {
    let wrong = settings.cors_allowed_origins.iter().find(|origin| !is_origin(origin))?;
    let form = "scheme://host or scheme://host:port without a path, or *".to_owned();
    Some(Reason::not_a("web origin", wrong, Some(form)))
}

fn seed_nodes(settings: &Settings) -> Option<Reason> {
    let refused = |text: &String| Some((text.clone(), text.parse::<Seed>().err()?));
    let (text, error) = settings.seed_nodes.iter().find_map(refused)?;
    Some(Reason::not_a("seed", &text, Some(error.to_string())))
}

fn backup_schedule(settings: &Settings) -> Option<Reason> {
    let text = settings.backup_schedule.as_deref()?;
    let error = text.parse::<Schedule>().err()?;
    Some(Reason::not_a("schedule", text, Some(error.to_string())))
}

fn backup_target(settings: &Settings) -> Option<Reason> {
    let text = settings.backup_target.as_deref()?;
    let error = text.parse::<BackupTarget>().err()?;
    Some(Reason::not_a("place for backups", text, Some(error.to_string())))
}

fn backup_endpoint(settings: &Settings) -> Option<Reason> {
    let text = settings.backup_s3.endpoint.as_deref()?;
    let error = check_endpoint(text).err()?;
    Some(Reason::not_a("place for backups", text, Some(error.to_string())))
}

/// Half a key would silently be completed from the environment.
fn backup_key(settings: &Settings) -> (&'static str, Option<Reason>) {
    let s3 = &settings.backup_s3;
    let why = || "access_key_id and secret_access_key_file go together".to_owned();
    let at_odds = |value: String| Some(Reason::AtOdds { value, why: why() });
    match (&s3.access_key_id, &s3.secret_access_key_file) {
        (Some(id), None) => ("backup_s3.access_key_id", at_odds(id.clone())),
        (None, Some(file)) => {
            ("backup_s3.secret_access_key_file", at_odds(file.display().to_string()))
        }
        _ => ("backup_s3.access_key_id", None),
    }
}

/// Browsers send an origin as scheme, host and port, in lower case, and nothing else.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let in_host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]_".contains(c);
    text == "*" || host.is_some_and(|host| !host.is_empty() && host.chars().all(in_host))
}

fn streams(settings: &Settings) -> Option<Reason> {
    let limits = &settings.limits;
    let why = || format!("limits.streams_total allows only {} in all", limits.streams_total);
    let value = limits.streams_per_caller;
    (value > limits.streams_total).then(|| Reason::AtOdds { value: value.to_string(), why: why() })
}

/// A batch that could never wait in the queue would be told to retry for ever.
fn queue_size(settings: &Settings) -> Option<Reason> {
    let batch = settings.limits.batch_size;
    let why = || format!("it must hold a batch, and limits.batch_size is {batch}");
    at_least(settings.queue_size, batch, why)
}

/// Some of the three would be taken to protect what they do not.
fn peer_tls(settings: &Settings) -> (&'static str, Option<Reason>) {
    let tls = &settings.peer_tls;
    all_or_none(
        &[
            ("peer_tls.ca_file", &tls.ca_file),
            ("peer_tls.cert_file", &tls.cert_file),
            ("peer_tls.key_file", &tls.key_file),
        ],
        "peer_tls needs ca_file, cert_file and key_file, or none of them",
    )
}

fn tls(settings: &Settings) -> (&'static str, Option<Reason>) {
    let tls = &settings.tls;
    all_or_none(
        &[("tls.cert_file", &tls.cert_file), ("tls.key_file", &tls.key_file)],
        "tls needs cert_file and key_file, or neither",
    )
}

fn all_or_none(
    files: &[(&'static str, &Option<PathBuf>)],
    why: &str,
) -> (&'static str, Option<Reason>) {
    let given = files.iter().filter_map(|(path, file)| Some((*path, file.as_ref()?)));
    let given: Vec<_> = given.collect();
    match given.first() {
        Some((path, file)) if given.len() < files.len() => {
            let value = file.display().to_string();
            (path, Some(Reason::AtOdds { value, why: why.to_owned() }))
        }
        _ => (files[0].0, None),
    }
}

/// A value that may be stored must also fit into what carries it.
fn fits_value(settings: &Settings, size: Size) -> Option<Reason> {
    let value = settings.limits.value_size;
    at_least(size, value, || format!("it must hold a value, and limits.value_size is {value}"))
}

fn at_least(size: Size, least: Size, why: impl FnOnce() -> String) -> Option<Reason> {
    (size < least).then(|| Reason::AtOdds { value: size.to_string(), why: why() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_for_peers_has_all_its_files_or_none() {
        for given in 0..8 {
            let mut effective = Effective::default();
            let file = |bit: u8| (given & bit != 0).then(|| "a.pem".into());
            let tls = &mut effective.settings.peer_tls;
            (tls.ca_file, tls.cert_file, tls.key_file) = (file(1), file(2), file(4));
            let said: Vec<_> = refusals(&effective).map(|problem| problem.to_string()).collect();
            assert_eq!(said.is_empty(), given == 0 || given == 7, "{given}: {said:?}");
            assert!(said.iter().all(|said| said.contains("or none of them")), "{said:?}");
        }
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let mut effective = Effective::default();
        effective.settings.tls.cert_file = Some("a.pem".into());
        let said: Vec<_> = refusals(&effective).map(|problem| problem.to_string()).collect();
        assert!(
            said[0].contains("tls.cert_file: a.pem") && said[0].contains("key_file"),
            "{said:?}"
        );
        effective.settings.tls.key_file = Some("b.pem".into());
        assert_eq!(refusals(&effective).count(), 0);
    }
}
