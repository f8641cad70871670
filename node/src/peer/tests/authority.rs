//! Certificates of the user's own authority, and clocks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
    date_time_ymd,
};

use super::site::{Site, cluster, credentials, node, of_node};
use crate::peer::{
    Credentials, CredentialsError, PeerError, PeerLimits, PeerName, PeerRoute, Trust,
};
use crate::time::ManualClock;

/// An authority of a user's, in a folder.
struct Authority {
    dir: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

impl Authority {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("ca.pem"), pem("CERTIFICATE", certificate.der())).unwrap();
        Self { dir, issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Signs a certificate for these URIs, valid in 2023 alone.
    fn sign(&self, uris: &[String]) -> Trust {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2023, 1, 1);
        params.not_after = date_time_ymd(2024, 1, 1);
        let uri = |uri: &String| SanType::URI(uri.clone().try_into().unwrap());
        params.subject_alt_names = uris.iter().map(uri).collect();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path("cert.pem"), pem("CERTIFICATE", certificate.der())).unwrap();
        std::fs::write(self.path("key.pem"), pem("PRIVATE KEY", &key.serialize_der())).unwrap();
        self.load().unwrap()
    }

    fn load(&self) -> Result<Trust, CredentialsError> {
        let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| self.path(name));
        Trust::load(&ca, &cert, &key)
    }

    fn node(&self, number: u8) -> Arc<Credentials> {
        let name = PeerName::Node(node(number));
        credentials(name.clone(), &self.sign(&[name.to_string()]))
    }
}

#[tokio::test]
async fn nodes_of_one_authority_of_the_users_know_each_other() {
    let authority = Authority::new();
    let site = Site::with(authority.node(1), PeerLimits::default());
    let link = site.client(authority.node(2)).connect(site.address, Some(node(1))).await.unwrap();
    assert_eq!(link.ask(PeerRoute::Hello, "hello".into()).await.unwrap(), "5");
}

#[tokio::test]
async fn who_is_of_another_authority_or_of_none_is_turned_away() {
    let site = Site::with(Authority::new().node(1), PeerLimits::default());
    for other in [Authority::new().node(2), of_node(2, &[7])] {
        let error = site.client(other).connect(site.address, None).await.unwrap_err();
        assert!(matches!(error, PeerError::Outsider { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_of_the_users_ends_when_it_says() {
    let authority = Authority::new();
    let site = Site::with(authority.node(1), PeerLimits::default());
    let name = PeerName::Node(node(2));
    let trust = authority.sign(&[name.to_string()]);
    // 2025.
    let later = Arc::new(ManualClock::at(1_740_000_000_000));
    let error = Credentials::new(name, &trust, later).unwrap_err().to_string();
    assert!(error.contains("expired") || error.contains("Expired"), "{error}");
    drop(site);
}

#[test]
fn a_certificate_that_is_not_this_nodes_is_refused_at_the_start() {
    let authority = Authority::new();
    let own = PeerName::Node(node(1));
    let other = PeerName::Node(node(2)).to_string();
    for uris in [vec![], vec![other.clone()], vec![own.to_string(), other]] {
        let trust = authority.sign(&uris);
        let clock = Arc::new(ManualClock::at(1_700_000_000_000));
        let error = Credentials::new(own.clone(), &trust, clock).unwrap_err();
        assert!(matches!(error, CredentialsError::NotOurs { .. }), "{error}");
        assert!(error.to_string().contains(&own.to_string()), "{error}");
    }
}

#[test]
fn a_file_without_certificate_or_key_is_named() {
    let authority = Authority::new();
    authority.sign(&[]);
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        let path = authority.path(name);
        let before = std::fs::read(&path).unwrap();
        for wrong in ["", "garbage", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"]
        {
            std::fs::write(&path, wrong).unwrap();
            let error = authority.load().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(authority.load().unwrap_err().to_string().contains(name));
        std::fs::write(&path, before).unwrap();
    }
    assert!(Trust::load(Path::new("no"), Path::new("no"), Path::new("no")).is_err());
}

#[tokio::test]
async fn nodes_with_wrong_clocks_still_speak() {
    let trust = Trust::ring(&cluster(&[7]));
    // 1970, and the year 5138.
    let at = |number, now| {
        let clock = Arc::new(ManualClock::at(now));
        Arc::new(Credentials::new(PeerName::Node(node(number)), &trust, clock).unwrap())
    };
    let site = Site::with(at(1, 0), PeerLimits::default());
    let link = site.client(at(2, 100_000_000_000_000)).connect(site.address, None).await.unwrap();
    assert_eq!(link.ask(PeerRoute::Hello, "hello".into()).await.unwrap(), "5");
}
