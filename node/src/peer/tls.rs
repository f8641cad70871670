//! Who is who: certificates on both sides of every connection, TLS 1.3 and nothing older.

mod configs;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{AlertDescription, ClientConfig, ServerConfig};
use thiserror::Error;
use tokio::sync::watch;
use webpki::KeyUsage;

pub use self::trust::Trust;
pub use kvs_client::peer::PeerName;

pub(super) use self::configs::stranger;
pub(super) use kvs_client::peer::name_of;

use self::configs::Configs;
use crate::time::WallClock;

/// Credentials could not be made. The ones that were in force before still are.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// A file with a certificate or key cannot be read.
    #[error("cannot read {path}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate is not one that peers would take for this node's.
    #[error(
        "the certificate {path} does not say that it is {wanted}: {reason}; it must have the URI \
         {wanted} as a subject alternative name, allow both client and server authentication, and \
         be signed by the authority",
        path = .path.display()
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// This node.
        wanted: PeerName,
        /// What is wrong.
        reason: String,
    },
    /// A ring without secrets.
    #[error("there is no secret to derive certificates from")]
    NoSecret,
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Making(#[from] rcgen::Error),
    /// The TLS library refuses what it was given.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What this node shows its peers and what it believes of theirs. It can be replaced while
/// connections are open: those whose certificate is no longer believed are then closed.
#[derive(Debug)]
pub struct Credentials {
    name: PeerName,
    clock: Arc<dyn WallClock>,
    current: watch::Sender<Arc<Configs>>,
}

impl Credentials {
    /// Makes a key pair and a certificate for `name`, or takes the ones that `trust` has.
    ///
    /// # Errors
    ///
    /// `trust` has no secret, or a certificate that is not for `name`.
    pub fn new(
        name: PeerName,
        trust: &Trust,
        clock: Arc<dyn WallClock>,
    ) -> Result<Self, CredentialsError> {
        let configs = Configs::make(&name, trust, &clock)?;
        let current = watch::Sender::new(Arc::new(configs));
        Ok(Self { name, clock, current })
    }

    /// Who this is.
    pub const fn name(&self) -> &PeerName {
        &self.name
    }

    /// Trusts otherwise from now on, and shows a new certificate.
    ///
    /// # Errors
    ///
    /// As [`Self::new`]; nothing is replaced then.
    pub fn replace(&self, trust: &Trust) -> Result<(), CredentialsError> {
        let configs = Configs::make(&self.name, trust, &self.clock)?;
        self.current.send_replace(Arc::new(configs));
        Ok(())
    }

    pub(super) fn accepting(&self) -> Arc<ServerConfig> {
        self.current.borrow().accepting.clone()
    }

    pub(super) fn connecting(&self) -> Arc<ClientConfig> {
        self.current.borrow().connecting.clone()
    }

    /// Ends when `chain`, which was believed for `usage` once, no longer is.
    pub(super) async fn distrusted(&self, chain: &[CertificateDer<'static>], usage: KeyUsage) {
        let Some((certificate, between)) = chain.split_first() else {
            return std::future::pending().await;
        };
        let gone = |configs: &Arc<Configs>| {
            let now = configs::unix_time(&*self.clock);
            configs.verifier.check(certificate, between, usage, now).is_err()
        };
        if self.current.subscribe().wait_for(gone).await.is_err() {
            // Nothing changes any more.
            std::future::pending::<()>().await;
        }
    }
}

/// Whether an alert says that our certificate was refused, or its absence.
pub(super) const fn refuses_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Is;
    matches!(
        alert,
        Is::BadCertificate
            | Is::UnsupportedCertificate
            | Is::CertificateRevoked
            | Is::CertificateExpired
            | Is::CertificateUnknown
            | Is::CertificateRequired
            | Is::UnknownCA
            | Is::AccessDenied
            | Is::DecryptError
    )
}
