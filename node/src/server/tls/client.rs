//! Whose certificate a client shows. That an authority has signed it, for clients, and that it holds
//! now was checked when the connection began.

use std::sync::Arc;

use kvs_config::ClientName;
use kvs_core::account::Name;
use kvs_core::token::{Period, UnixSeconds};
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::accounts::{Certificate, Outside};

/// Who vouches, as callers are told.
const BY: &str = "client certificate";

/// What a certificate's hash is for, so that no token hashes to the same.
const CONTEXT: &str = "kvs client certificate";

/// Whose certificate this is.
pub(super) fn whose(certificate: &CertificateDer<'_>, from: ClientName) -> Certificate {
    read(certificate, from).unwrap_or(Certificate::OfNobody)
}

fn read(certificate: &CertificateDer<'_>, from: ClientName) -> Option<Certificate> {
    let (_, read) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let user: Name = only(&names(&read, from)?)?.parse().ok()?;
    let second = |time: i64| u64::try_from(time).map(UnixSeconds).ok();
    let validity = read.validity();
    // It holds up to and including its last second.
    let end = UnixSeconds(second(validity.not_after.timestamp())?.0.saturating_add(1));
    let period = Period { start: second(validity.not_before.timestamp()), end };
    let outside = Outside { by: BY.to_owned(), user, groups: Vec::new(), period };
    let hash = blake3::derive_key(&format!("{CONTEXT} {from}"), certificate);
    Some(Certificate::Of { outside: Arc::new(outside), hash })
}

/// All names of that kind.
fn names<'a>(certificate: &'a X509Certificate<'a>, from: ClientName) -> Option<Vec<&'a str>> {
    if from == ClientName::CommonName {
        let names = certificate.subject().iter_common_name();
        return names.map(|name| name.as_str().ok()).collect();
    }
    let alternatives = certificate.subject_alternative_name().ok()??;
    let name = |general: &GeneralName<'a>| match (general, from) {
        (GeneralName::RFC822Name(name), ClientName::Email)
        | (GeneralName::DNSName(name), ClientName::Dns) => Some(*name),
        _ => None,
    };
    Some(alternatives.value.general_names.iter().filter_map(name).collect())
}

/// Somebody with two names would be whichever they like.
fn only<'a>(names: &[&'a str]) -> Option<&'a str> {
    match names {
        [name] => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(common: &[&str], others: Vec<SanType>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.subject_alt_names = others;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn check(certificate: &CertificateDer<'_>, from: ClientName, wanted: Option<&str>) {
        let found = match whose(certificate, from) {
            Certificate::Of { outside, .. } => Some(outside.user.to_string()),
            Certificate::OfNobody => None,
        };
        assert_eq!(found.as_deref(), wanted, "{from:?}");
    }

    #[test]
    fn the_user_is_who_the_settings_say_and_nobody_if_there_are_two_or_none() {
        let email = |name: &str| SanType::Rfc822Name(name.try_into().unwrap());
        let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
        let one = certificate(&["ann"], vec![email("ann@example.org"), dns("ann.example.org")]);
        check(&one, ClientName::CommonName, Some("ann"));
        check(&one, ClientName::Email, Some("ann@example.org"));
        check(&one, ClientName::Dns, Some("ann.example.org"));
        let none = certificate(&[], vec![]);
        let two = certificate(&["ann"], vec![email("a@b"), email("c@d"), dns("a"), dns("b")]);
        for from in [ClientName::Email, ClientName::Dns] {
            check(&none, from, None);
            check(&two, from, None);
        }
        check(&none, ClientName::CommonName, None);
        for name in ["", "a b", "a/b", "\u{430}nn", "-a", &"a".repeat(129)] {
            check(&certificate(&[name], vec![]), ClientName::CommonName, None);
        }
        let longest = "a".repeat(128);
        check(&certificate(&[&longest], vec![]), ClientName::CommonName, Some(&longest));
    }

    #[test]
    fn what_is_no_certificate_is_nobodys() {
        let nothing = CertificateDer::from(vec![0x30, 0x82]);
        assert_eq!(whose(&nothing, ClientName::CommonName), Certificate::OfNobody);
    }

    #[test]
    fn one_certificate_read_for_two_names_is_not_taken_for_the_same() {
        let email = SanType::Rfc822Name("ann@example.org".try_into().unwrap());
        let one = certificate(&["ann"], vec![email]);
        let hash = |from| match whose(&one, from) {
            Certificate::Of { hash, .. } => hash,
            Certificate::OfNobody => panic!("somebody's"),
        };
        assert_eq!(hash(ClientName::CommonName), hash(ClientName::CommonName));
        assert_ne!(hash(ClientName::CommonName), hash(ClientName::Email));
    }
}
