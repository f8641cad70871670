//! TLS for clients: TLS 1.2 and 1.3, certificate and key from files that may change while the node
//! runs.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Certificate and key cannot be used. Those in force before still are.
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

/// What a server shows its clients.
#[derive(Clone, Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Arc<watch::Sender<Arc<ServerConfig>>>,
}

/// What tells one state of the files from the next.
type Seen = [Option<(i64, i64, u64, u64)>; 2];

impl Tls {
    /// Reads the files of the settings; nothing if they name none.
    ///
    /// # Errors
    ///
    /// They cannot be used.
    pub fn load(settings: &kvs_config::Tls) -> Result<Option<Self>, TlsError> {
        let (Some(certificate), Some(key)) = (&settings.cert_file, &settings.key_file) else {
            return Ok(None);
        };
        let config = read(certificate, key)?;
        let current = Arc::new(watch::Sender::new(Arc::new(config)));
        Ok(Some(Self { certificate: certificate.clone(), key: key.clone(), current }))
    }

    /// What new connections are accepted with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.borrow().clone())
    }

    /// Takes over what the files say whenever they change, until `end`.
    pub(super) async fn keep_up(self, end: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut seen = self.seen();
        while end.run_until_cancelled(looks.tick()).await.is_some() {
            let now = self.seen();
            if now != seen {
                seen = now;
                self.read_again();
            }
        }
    }

    /// Takes over what the files say now; keeps what there is if they are wrong.
    pub fn read_again(&self) {
        match read(&self.certificate, &self.key) {
            Ok(config) => {
                self.current.send_replace(Arc::new(config));
                tracing::info!("the certificate for clients was read again");
            }
            Err(error) => tracing::error!(%error, "the certificate for clients stays as it was"),
        }
    }

    fn seen(&self) -> Seen {
        [&self.certificate, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.mtime(), metadata.mtime_nsec(), metadata.ino(), metadata.len()))
        })
    }
}

fn read(certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let what = "a certificate in PEM";
    let refused = |reason: String| TlsError::File { what, path: certificate.to_owned(), reason };
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| refused(error.to_string()))?;
    if chain.is_empty() {
        return Err(refused("there is none in it".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::File {
        what: "a private key in PEM",
        path: key.to_owned(),
        reason: error.to_string(),
    })?;
    let unusable = |source| TlsError::Unusable {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    };
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
