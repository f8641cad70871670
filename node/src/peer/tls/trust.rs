//! Whom a node believes: whoever shares a secret with it, or whoever the user's authority has signed.

use std::fmt;
use std::path::{Path, PathBuf};

use kvs_client::ClusterFile;
use kvs_client::peer::Authority;
use kvs_config::PeerTls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::CredentialsError;

/// Whom to believe, and what to show.
pub enum Trust {
    /// One authority for each secret of the ring, in its order: all of them are believed, and the
    /// first signs what this node shows.
    Ring(Vec<[u8; 32]>),
    /// An authority of the user's, and what it has signed for this node.
    Authority {
        /// The authority's certificates.
        authorities: Vec<CertificateDer<'static>>,
        /// This node's certificate, and those between it and the authority.
        chain: Vec<CertificateDer<'static>>,
        /// Its key.
        key: PrivateKeyDer<'static>,
        /// Where the certificate is from, for errors.
        path: PathBuf,
    },
}

/// Keys are not shown.
impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(seeds) => f.debug_tuple("Ring").field(&seeds.len()).finish(),
            Self::Authority { path, .. } => f.debug_tuple("Authority").field(path).finish(),
        }
    }
}

impl Trust {
    /// What the settings say: the user's authority if they name one, else the ring of the file.
    ///
    /// # Errors
    ///
    /// A file that the settings name cannot be read.
    pub fn of(settings: &PeerTls, file: &ClusterFile) -> Result<Self, CredentialsError> {
        let PeerTls { ca_file, cert_file, key_file } = settings;
        match (ca_file, cert_file, key_file) {
            (Some(ca), Some(cert), Some(key)) => Self::load(ca, cert, key),
            _ => Ok(Self::ring(file)),
        }
    }

    /// The authorities of a cluster file.
    pub fn ring(file: &ClusterFile) -> Self {
        Self::Ring((0..file.secrets().len()).filter_map(|at| file.tls_seed(at)).collect())
    }

    /// Reads an authority of the user's from PEM files.
    ///
    /// # Errors
    ///
    /// One cannot be read, or has no certificate or key.
    pub fn load(ca: &Path, cert: &Path, key: &Path) -> Result<Self, CredentialsError> {
        let authorities = certificates(ca)?;
        let chain = certificates(cert)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, &error))?;
        Ok(Self::Authority { authorities, chain, key, path: cert.to_owned() })
    }

    pub(super) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
        match self {
            Self::Ring(seeds) => {
                let certificate = |seed| Ok(Authority::derive(seed)?.certificate());
                seeds.iter().map(certificate).collect()
            }
            Self::Authority { authorities, .. } => Ok(authorities.clone()),
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(path, &error))?;
    let all = read.collect::<Result<Vec<_>, _>>().map_err(|error| failed(path, &error))?;
    if all.is_empty() {
        return Err(failed(path, &"there is no certificate in it"));
    }
    Ok(all)
}

fn failed(path: &Path, reason: &impl ToString) -> CredentialsError {
    CredentialsError::File { path: path.to_owned(), reason: reason.to_string() }
}
