//! TLS for clients: TLS 1.2 and 1.3, certificates and keys from files that may change while the node
//! runs.

mod client;
mod files;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use self::files::TlsError;
use crate::accounts::Certificate;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What a server shows its clients, and whom of them it believes.
#[derive(Clone, Debug)]
pub struct Tls {
    files: Arc<Mutex<kvs_config::Tls>>,
    current: Arc<watch::Sender<Arc<ServerConfig>>>,
}

impl Tls {
    /// Reads the files of the settings; nothing if they name none.
    ///
    /// # Errors
    ///
    /// They cannot be used.
    pub fn load(settings: &kvs_config::Tls) -> Result<Option<Self>, TlsError> {
        let Some(config) = files::read(settings)? else { return Ok(None) };
        let current = Arc::new(watch::Sender::new(Arc::new(config)));
        let files = Arc::new(Mutex::new(settings.clone()));
        Ok(Some(Self { files, current }))
    }

    /// What new connections are accepted with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.borrow().clone())
    }

    /// To wait until other files count.
    pub(super) fn changes(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.current.subscribe()
    }

    /// Whose certificate a client has shown.
    pub(super) fn whose(&self, certificate: &CertificateDer<'_>) -> Certificate {
        client::whose(certificate, self.files().client_name)
    }

    /// Takes over what the files say whenever they change, until `end`.
    pub(super) async fn keep_up(self, end: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut seen = files::seen(&self.files());
        while end.run_until_cancelled(looks.tick()).await.is_some() {
            let now = files::seen(&self.files());
            if now != seen {
                seen = now;
                self.read_again();
            }
        }
    }

    /// Takes over what the files say now; keeps what there is if they are wrong.
    pub fn read_again(&self) {
        match files::read(&self.files()) {
            Ok(Some(config)) => {
                self.current.send_replace(Arc::new(config));
                tracing::info!("the certificates for clients were read again");
            }
            Ok(None) => tracing::warn!("TLS is switched off by a restart alone"),
            Err(error) => tracing::error!(%error, "the certificates for clients stay as they were"),
        }
    }

    /// Takes over which files the settings name now, and what these say.
    pub fn set(&self, settings: &kvs_config::Tls) {
        if settings.cert_file.is_some() {
            self.files.lock().unwrap_or_else(PoisonError::into_inner).clone_from(settings);
        }
        self.read_again();
    }

    fn files(&self) -> kvs_config::Tls {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
