//! Who is who between nodes: the authority that a cluster's secret stands for signs both sides of every
//! connection, and a certificate names one node or one operator.

mod authority;
mod name;
mod verifier;

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, Error};

pub use self::authority::{Authority, Signed};
pub use self::name::PeerName;
pub use self::verifier::{Anybody, Expiry, Verifier, name_of};

/// HTTP/2 and nothing else.
pub const PROTOCOL: &[u8] = b"h2";

/// Settings of whoever connects to a node: what is shown, and whom it believes.
///
/// # Errors
///
/// The key is not the certificate's.
pub fn connecting(
    time: Arc<dyn TimeProvider>,
    verifier: Arc<Verifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_details(provider(), time)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(chain, key)?;
    Ok(for_peers(config))
}

/// No session is resumed: it would outlive the secret that it began with.
pub fn for_peers(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config
}

/// The cryptography of all connections between nodes.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The signatures that are understood.
fn algorithms() -> WebPkiSupportedAlgorithms {
    provider().signature_verification_algorithms
}
