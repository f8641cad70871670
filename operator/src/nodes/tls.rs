//! Who is who: the authority that the cluster's secret stands for has signed both sides.

use std::sync::Arc;
use std::time::Duration;

use kvs_client::ClusterFile;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, SanType,
};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, TrustAnchor, UnixTime,
};
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};

use super::NodeError;

/// What comes before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410, section 7).
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Somewhere within the validity of every certificate of the ring: what ends them is that their secret
/// leaves it.
const ALWAYS: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_000_000_000));

/// TLS as a node of this cluster expects it of its operator.
pub(super) fn config(file: &ClusterFile, name: &str) -> Result<Arc<ClientConfig>, NodeError> {
    let failed = |error: &dyn std::fmt::Display| NodeError::Credentials(error.to_string());
    let seeds: Vec<[u8; 32]> =
        (0..file.secrets().len()).filter_map(|at| file.tls_seed(at)).collect();
    let first = seeds.first().ok_or_else(|| failed(&"it has no secret"))?;
    let (chain, key) = shown(first, name).map_err(|error| failed(&error))?;
    let verifier = Verifier::new(&seeds).map_err(|error| failed(&error))?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| failed(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(vec![chain], key);
    let mut config = config.map_err(|error| failed(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

type Shown = (CertificateDer<'static>, PrivateKeyDer<'static>);

fn shown(seed: &[u8; 32], name: &str) -> Result<Shown, rcgen::Error> {
    let (_, issuer) = authority(seed)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named("KVS peer");
    params.subject_alt_names = vec![SanType::URI(format!("kvs:operator:{name}").try_into()?)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let certificate = params.signed_by(&key, &issuer)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((certificate.der().clone(), key.into()))
}

/// The same authority that every node derives.
fn authority(
    seed: &[u8; 32],
) -> Result<(CertificateDer<'static>, Issuer<'static, KeyPair>), rcgen::Error> {
    let key = PrivatePkcs8KeyDer::from([PKCS8_ED25519.as_slice(), seed].concat());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named("KVS cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = params.self_signed(&key)?.der().clone();
    Ok((certificate, Issuer::new(params, key)))
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Believes nodes that an authority of the ring has signed.
#[derive(Debug)]
struct Verifier {
    anchors: Vec<TrustAnchor<'static>>,
}

impl Verifier {
    fn new(seeds: &[[u8; 32]]) -> Result<Self, String> {
        let anchor = |seed: &[u8; 32]| {
            let (certificate, _) = authority(seed).map_err(|error| error.to_string())?;
            let anchor = webpki::anchor_from_trusted_cert(&certificate);
            Ok(anchor.map_err(|error| error.to_string())?.to_owned())
        };
        Ok(Self { anchors: seeds.iter().map(anchor).collect::<Result<_, String>>()? })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let read = EndEntityCert::try_from(certificate)
            .map_err(|_malformed| Error::from(CertificateError::BadEncoding))?;
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        let usage = KeyUsage::server_auth();
        read.verify_for_usage(algorithms.all, &self.anchors, between, ALWAYS, usage, None, None)
            .map_err(|_stranger| Error::from(CertificateError::UnknownIssuer))?;
        let is_node = read.valid_uri_names().any(|name| name.starts_with("kvs:node:"));
        is_node
            .then(ServerCertVerified::assertion)
            .ok_or_else(|| CertificateError::NotValidForName.into())
    }

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
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
