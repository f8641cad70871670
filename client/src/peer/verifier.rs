//! Judges certificates, the same way on both sides of a connection.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::{EndEntityCert, KeyUsage};

use super::{PeerName, algorithms};

/// Somewhere within the validity of every certificate that this program makes.
const ALWAYS: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_000_000_000));

/// Whether certificates end by the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// They do: an authority of the user's may sign for a short time so that what is lost or stolen
    /// ends by itself.
    ByTheClock,
    /// They do not. What is derived from a secret ends when the secret leaves the ring; and a node
    /// whose clock is wrong must be able to speak with its peers, or nobody could tell it so.
    Never,
}

/// The methods about signatures, which the library asks of each side's verifier alike: TLS 1.3 only, by
/// the algorithms in `self.algorithms`.
macro_rules! signatures_of_tls13 {
    () => {
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _certificate: &CertificateDer<'_>,
            _signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::General("only TLS 1.3 is spoken here".into()))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signed, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
}

/// Believes what one of the authorities has signed and what names one node or operator.
#[derive(Debug)]
pub struct Verifier {
    anchors: Vec<TrustAnchor<'static>>,
    expiry: Expiry,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    /// Believes these authorities.
    ///
    /// # Errors
    ///
    /// One is no certificate.
    pub fn new(authorities: &[CertificateDer<'static>], expiry: Expiry) -> Result<Self, Error> {
        let anchor = |certificate| Ok(webpki::anchor_from_trusted_cert(certificate)?.to_owned());
        let anchors = authorities.iter().map(anchor).collect::<Result<_, _>>().map_err(refused)?;
        Ok(Self { anchors, expiry, algorithms: algorithms() })
    }

    /// Who this is, if it can be believed.
    ///
    /// # Errors
    ///
    /// It cannot, and why.
    pub fn check(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        usage: KeyUsage,
        now: UnixTime,
    ) -> Result<PeerName, Error> {
        let now = match self.expiry {
            Expiry::ByTheClock => now,
            Expiry::Never => ALWAYS,
        };
        let read = EndEntityCert::try_from(certificate).map_err(refused)?;
        read.verify_for_usage(self.algorithms.all, &self.anchors, between, now, usage, None, None)
            .map_err(refused)?;
        only_name(&read).ok_or_else(nobody)
    }
}

/// The name in a certificate; nothing if there is none, or more than one.
pub fn name_of(certificate: &CertificateDer<'_>) -> Option<PeerName> {
    only_name(&EndEntityCert::try_from(certificate).ok()?)
}

fn only_name(certificate: &EndEntityCert<'_>) -> Option<PeerName> {
    let mut names = certificate.valid_uri_names().filter_map(PeerName::from_uri);
    let name = names.next()?;
    names.next().is_none().then_some(name)
}

fn nobody() -> Error {
    #[derive(Debug, thiserror::Error)]
    #[error("it does not name one node or operator as a URI")]
    struct Nobody;
    CertificateError::Other(OtherError(Arc::new(Nobody))).into()
}

fn refused(error: webpki::Error) -> Error {
    use webpki::Error as Is;
    match error {
        // All authorities that are derived have one name, so another secret's shows as this.
        Is::UnknownIssuer | Is::InvalidSignatureForPublicKey => {
            CertificateError::UnknownIssuer.into()
        }
        Is::BadDer => CertificateError::BadEncoding.into(),
        error => CertificateError::Other(OtherError(Arc::new(error))).into(),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(certificate, between, KeyUsage::server_auth(), now)?;
        Ok(ServerCertVerified::assertion())
    }

    signatures_of_tls13!();
}

impl ClientCertVerifier for Verifier {
    /// One route needs no certificate; all others are refused without one by the route table.
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(certificate, between, KeyUsage::client_auth(), now)?;
        Ok(ClientCertVerified::assertion())
    }

    signatures_of_tls13!();
}

/// Believes any certificate whose key the other side has. Only for connections within this machine.
#[derive(Debug)]
pub struct Anybody {
    algorithms: WebPkiSupportedAlgorithms,
}

impl Default for Anybody {
    fn default() -> Self {
        Self { algorithms: algorithms() }
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    signatures_of_tls13!();
}
