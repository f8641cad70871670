//! TLS for clients.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kvs_client::Client;
use kvs_config::Settings;
use kvs_node::server::{Server, Tls, TlsError};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::served::{Served, serve_on, settings};

/// Writes a certificate for this machine and its key.
pub(crate) fn certify(dir: &Path) -> kvs_config::Tls {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let (cert_file, key_file) = (dir.join("cert.pem"), dir.join("key.pem"));
    fs::write(&cert_file, pem("CERTIFICATE", cert.der())).unwrap();
    fs::write(&key_file, pem("PRIVATE KEY", signing_key.serialized_der())).unwrap();
    let (cert_file, key_file) = (Some(cert_file), Some(key_file));
    kvs_config::Tls { cert_file, key_file, ..kvs_config::Tls::default() }
}

pub(crate) fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

async fn secured(dir: &Path) -> (Served, Tls) {
    let settings = Settings { tls: certify(dir), ..settings(dir) };
    let tls = Tls::load(&settings.tls).unwrap().unwrap();
    let server = Server::bind(&settings).unwrap().with_tls(Some(tls.clone()));
    assert_eq!(server.scheme(), "https");
    (serve_on(server, settings).await, tls)
}

/// A client that trusts what is in the file now, and knows no connection yet.
fn client(dir: &Path, served: &Served) -> Client {
    let pem = fs::read(dir.join("cert.pem")).unwrap();
    let trusted = reqwest::Certificate::from_pem(&pem).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
    Client::with_http(&format!("https://{}", served.address), None, http).unwrap()
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_is_served_and_others_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let (served, _tls) = secured(dir.path()).await;
    client(dir.path(), &served).livez().await.unwrap();
    let stranger = Client::new(&format!("https://{}", served.address), None).unwrap();
    stranger.livez().await.unwrap_err();

    let mut plain = TcpStream::connect(served.address).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // Closed, perhaps with a reset: what matters is that nothing is served.
    let _ended =
        tokio::time::timeout(Duration::from_secs(30), plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    client(dir.path(), &served).livez().await.unwrap();
    served.stop().await;
}

#[tokio::test]
async fn a_new_certificate_is_taken_over_and_a_wrong_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (served, tls) = secured(dir.path()).await;
    let before = client(dir.path(), &served);
    before.livez().await.unwrap();
    certify(dir.path());
    tls.read_again();
    let after = client(dir.path(), &served);
    after.livez().await.unwrap();

    fs::write(dir.path().join("key.pem"), "no key").unwrap();
    tls.read_again();
    client(dir.path(), &served).livez().await.unwrap();
    served.stop().await;
}

#[tokio::test]
async fn other_files_are_taken_over_and_leaving_them_out_changes_nothing() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (served, tls) = secured(dir.path()).await;
    tls.set(&certify(other.path()));
    client(other.path(), &served).livez().await.unwrap();
    client(dir.path(), &served).livez().await.unwrap_err();
    tls.set(&kvs_config::Tls::default());
    client(other.path(), &served).livez().await.unwrap();
    served.stop().await;
}

#[test]
fn files_that_are_none_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let files = certify(dir.path());
    fs::write(dir.path().join("cert.pem"), "nothing").unwrap();
    let error = Tls::load(&files).unwrap_err();
    assert!(error.to_string().contains("cert.pem: there is none in it"), "{error}");

    certify(dir.path());
    let other = tempfile::tempdir().unwrap();
    let key_file = certify(other.path()).key_file;
    let error = Tls::load(&kvs_config::Tls { key_file, ..files.clone() }).unwrap_err();
    assert!(matches!(error, TlsError::Unusable { .. }), "{error}");

    fs::remove_file(dir.path().join("key.pem")).unwrap();
    let error = Tls::load(&files).unwrap_err().to_string();
    assert!(error.contains("a private key in PEM") && error.contains("key.pem"), "{error}");
    assert!(Tls::load(&kvs_config::Tls::default()).unwrap().is_none());
}
