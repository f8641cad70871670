//! From files to what connections are accepted with.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;

/// Certificates and keys cannot be used. Those in force before still are.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read as what it should be.
    #[error("cannot read {what} from {path}: {reason}", path = .path.display())]
    File {
        /// What it should have.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The two do not go together, or the library refuses them.
    #[error("the certificate {certificate} and the key {key} cannot be used: {source}", certificate = .certificate.display(), key = .key.display())]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// What tells one state of the files from the next.
pub(super) type Seen = [Option<(i64, i64, u64, u64)>; 4];

/// How the files are now.
pub(super) fn seen(files: &kvs_config::Tls) -> Seen {
    let kvs_config::Tls { cert_file, key_file, client_ca_file, client_crl_file, .. } = files;
    [cert_file, key_file, client_ca_file, client_crl_file].map(|path| {
        let metadata = fs::metadata(path.as_deref()?).ok()?;
        Some((metadata.mtime(), metadata.mtime_nsec(), metadata.ino(), metadata.len()))
    })
}

/// What the files say; nothing if there are none.
pub(super) fn read(files: &kvs_config::Tls) -> Result<Option<ServerConfig>, TlsError> {
    let (Some(certificate), Some(key)) = (&files.cert_file, &files.key_file) else {
        return Ok(None);
    };
    let chain = certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| failed("a private key in PEM", key, &error))?;
    let builder = ServerConfig::builder();
    let builder = match &files.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(ca) => builder.with_client_cert_verifier(verifier(ca, files)?),
    };
    let unusable =
        |source| TlsError::Unusable { certificate: certificate.clone(), key: key.clone(), source };
    let mut config = builder.with_single_cert(chain, secret).map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(config))
}

/// Who judges certificates of clients. Those who show none are let in, and say otherwise who they are.
fn verifier(ca: &Path, files: &kvs_config::Tls) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let refused = |error: &dyn ToString| failed("authorities in PEM", ca, &error.to_string());
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(ca)? {
        authorities.add(certificate).map_err(|error| refused(&error))?;
    }
    let revoked = files.client_crl_file.as_deref().map(revocations).transpose()?;
    WebPkiClientVerifier::builder(authorities.into())
        .with_crls(revoked.unwrap_or_default())
        // An authority that has published no list has revoked nothing.
        .allow_unknown_revocation_status()
        .only_check_end_entity_revocation()
        .allow_unauthenticated()
        .build()
        .map_err(|error| refused(&error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    all("a certificate in PEM", path)
}

fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    all("a list of revoked certificates in PEM", path)
}

fn all<T: PemObject>(what: &'static str, path: &Path) -> Result<Vec<T>, TlsError> {
    let read = T::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<T>, _>>);
    let found = read.map_err(|error| failed(what, path, &error))?;
    if found.is_empty() { Err(failed(what, path, &"there is none in it")) } else { Ok(found) }
}

fn failed(what: &'static str, path: &Path, reason: &impl ToString) -> TlsError {
    TlsError::File { what, path: path.to_owned(), reason: reason.to_string() }
}
