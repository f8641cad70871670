//! Rules about text that a type cannot say, and about settings that must fit together.

use std::path::PathBuf;

use crate::{
    backup::{BackupTarget, check_endpoint},
    error::{Problem, Reason},
    issuer::check_address,
    load::Effective,
    network::Network,
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
        ("trusted_proxies", trusted_proxies(settings)),
        ("oidc", oidc(settings)),
        ("kubernetes.audience", kubernetes_audience(settings)),
        ("kubernetes.issuer", kubernetes_issuer(settings)),
        ("kubernetes.api_server", api_server(settings)),
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
        client_ca(settings),
        client_crl(settings),
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

fn trusted_proxies(settings: &Settings) -> Option<Reason> {
    let refused = |text: &String| Some((text.clone(), text.parse::<Network>().err()?));
    let (text, error) = settings.trusted_proxies.iter().find_map(refused)?;
    Some(Reason::not_a("network", &text, Some(error.to_string())))
}

/// The first issuer that is not as it should be.
fn oidc(settings: &Settings) -> Option<Reason> {
    let refused = |value: &str, why: &str| {
        Some(Reason::AtOdds { value: value.to_owned(), why: why.to_owned() })
    };
    for (at, issuer) in settings.oidc.iter().enumerate() {
        let addresses = [Some(&issuer.issuer), issuer.jwks_uri.as_ref()];
        for address in addresses.into_iter().flatten() {
            if let Err(error) = check_address(address) {
                return refused(address, &error.to_string());
            }
        }
        if issuer.audience.is_empty() {
            return refused(&issuer.issuer, "its audience is empty, so any token would do");
        }
        if !begins_a_name(&issuer.prefix) {
            return refused(&issuer.prefix, "no user or group has a name that begins so");
        }
        if settings.oidc[..at].iter().any(|other| other.issuer == issuer.issuer) {
            return refused(&issuer.issuer, "it is there twice");
        }
    }
    None
}

/// Whether users can have names that begin with this: up to 127 of what names are made of.
fn begins_a_name(prefix: &str) -> bool {
    let in_name = |(at, character): (usize, char)| {
        character.is_ascii_alphanumeric() || at > 0 && ".-_@:+".contains(character)
    };
    prefix.len() < 128 && prefix.char_indices().all(in_name)
}

fn kubernetes_audience(settings: &Settings) -> Option<Reason> {
    settings.kubernetes.audience.as_ref()?.is_empty().then_some(Reason::NoValue)
}

/// Two who judge the tokens of one issuer would judge them differently.
fn kubernetes_issuer(settings: &Settings) -> Option<Reason> {
    let issuer = &settings.kubernetes.issuer;
    settings.kubernetes.audience.as_ref()?;
    let twice = settings.oidc.iter().any(|other| other.issuer == *issuer);
    let why = || "oidc has an issuer of that name, too".to_owned();
    twice.then(|| Reason::AtOdds { value: issuer.clone(), why: why() })
}

fn api_server(settings: &Settings) -> Option<Reason> {
    let value = &settings.kubernetes.api_server;
    let error = check_address(value).err()?;
    Some(Reason::AtOdds { value: value.clone(), why: error.to_string() })
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

fn client_ca(settings: &Settings) -> (&'static str, Option<Reason>) {
    let tls = &settings.tls;
    let why = "clients show certificates only with TLS: cert_file and key_file are wanted, too";
    let needs = needs(tls.client_ca_file.as_ref(), tls.cert_file.is_some(), why);
    ("tls.client_ca_file", needs)
}

fn client_crl(settings: &Settings) -> (&'static str, Option<Reason>) {
    let tls = &settings.tls;
    let why = "without client_ca_file no client shows a certificate that could be revoked";
    ("tls.client_crl_file", needs(tls.client_crl_file.as_ref(), tls.client_ca_file.is_some(), why))
}

fn needs(given: Option<&PathBuf>, there: bool, why: &str) -> Option<Reason> {
    let value = given.filter(|_| !there)?.display().to_string();
    Some(Reason::AtOdds { value, why: why.to_owned() })
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

    #[test]
    fn certificates_of_clients_need_tls_and_lists_of_revoked_ones_need_authorities() {
        let mut effective = Effective::default();
        let check = |effective: &Effective, wanted: &str| {
            let said: Vec<_> = refusals(effective).map(|problem| problem.to_string()).collect();
            assert!(said.concat().contains(wanted), "{said:?}");
            assert_eq!(said.is_empty(), wanted.is_empty(), "{said:?}");
        };
        effective.settings.tls.client_ca_file = Some("ca.pem".into());
        check(&effective, "tls.client_ca_file: ca.pem is refused: clients show certificates only");
        effective.settings.tls.cert_file = Some("a.pem".into());
        effective.settings.tls.key_file = Some("b.pem".into());
        check(&effective, "");
        effective.settings.tls.client_crl_file = Some("crl.pem".into());
        check(&effective, "");
        effective.settings.tls.client_ca_file = None;
        check(&effective, "tls.client_crl_file: crl.pem is refused: without client_ca_file");
    }
}
