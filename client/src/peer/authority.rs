//! The authority that a secret stands for: whoever has the secret can make it, and sign with it.

use std::fmt;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::PeerName;

/// What comes before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410, section 7).
const PKCS8_ED25519: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A certificate with its key.
pub struct Signed {
    /// What is shown to others.
    pub certificate: CertificateDer<'static>,
    /// What is not.
    pub key: PrivateKeyDer<'static>,
}

/// The key is not shown.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").finish_non_exhaustive()
    }
}

/// An authority that was derived from a secret. Its key and certificate follow from the seed alone,
/// so every node comes to the same one.
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// The key is not shown.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// The authority of a secret, by the seed that [`ClusterFile::tls_seed`] derives from it.
    ///
    /// [`ClusterFile::tls_seed`]: crate::ClusterFile::tls_seed
    ///
    /// # Errors
    ///
    /// The certificate cannot be made.
    pub fn derive(seed: &[u8; 32]) -> Result<Self, rcgen::Error> {
        let key = [PKCS8_ED25519.as_slice(), seed].concat();
        let key =
            KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(key), &PKCS_ED25519)?;
        let params = authority_params();
        let certificate = params.self_signed(&key)?;
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// Its own certificate.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    /// A new key pair and a certificate for it that says `name`.
    ///
    /// # Errors
    ///
    /// The certificate cannot be made.
    pub fn sign(&self, name: &PeerName) -> Result<Signed, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let certificate = peer_params(name)?.signed_by(&key, &self.issuer)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok(Signed { certificate: certificate.der().clone(), key: key.into() })
    }
}

/// Validity is rcgen's default, from 1975 to 4096: it is the ring that ends an authority.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("KVS cluster");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn peer_params(name: &PeerName) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("KVS peer");
    params.subject_alt_names = vec![SanType::URI(name.to_string().try_into()?)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_derives_the_same_authority() {
        let derive = |seed| Authority::derive(&[seed; 32]).unwrap().certificate();
        assert_eq!(derive(1), derive(1));
        assert_ne!(derive(1), derive(2));
    }
}
