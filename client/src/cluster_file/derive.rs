//! What is derived from the secrets, by HKDF-SHA256 with the cluster's id as salt.
//!
//! Each use has a label of its own, so that no key says anything about another. The labels and the
//! results are part of the format: nodes of different releases must come to the same keys.

use std::fmt::Write as _;

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};

use super::{ClusterFile, Secret};

const GOSSIP: &[u8] = b"kvs cluster file 1: gossip";
const AUTHORITY: &[u8] = b"kvs cluster file 1: authority";
const ACCOUNTS: &[u8] = b"kvs cluster file 1: accounts";
const DIGEST: &[u8] = b"kvs cluster file 1: digest";
const FINGERPRINT: &[u8] = b"kvs cluster file 1: fingerprint";
const KEY_ID: &[u8] = b"kvs cluster file 1: key id";

impl ClusterFile {
    /// The key that seals datagrams with the secret at this place of the ring, counted from 0.
    pub fn gossip_key(&self, at: usize) -> Option<[u8; 32]> {
        self.derive(at, GOSSIP)
    }

    /// The seed of the Ed25519 key with which the secret at this place signs certificates.
    pub fn tls_seed(&self, at: usize) -> Option<[u8; 32]> {
        self.derive(at, AUTHORITY)
    }

    /// The key that seals private keys of tokens with the secret at this place of the ring.
    pub fn accounts_key(&self, at: usize) -> Option<[u8; 32]> {
        self.derive(at, ACCOUNTS)
    }

    /// The key of the digest tree of a cluster that is born with this file. The ring changes; that
    /// key does not, so nodes keep it and hand it to those that join.
    pub fn digest_key(&self) -> [u8; 32] {
        self.derive(0, DIGEST).unwrap_or_default()
    }

    /// What the secret at this place can be called in public: it says nothing about it.
    pub fn fingerprint(&self, at: usize) -> Option<[u8; 4]> {
        let [a, b, c, d, ..] = self.derive(at, FINGERPRINT)?;
        Some([a, b, c, d])
    }

    fn derive(&self, at: usize, label: &[u8]) -> Option<[u8; 32]> {
        let secret = self.secrets.get(at).map(Secret::bytes)?;
        Some(hkdf(self.cluster.as_bytes(), secret, label))
    }
}

/// A name for a signing key: 16 hexadecimal digits.
pub(super) fn key_id(seed: &[u8; 32]) -> String {
    let named = hkdf(&[], seed, KEY_ID);
    hex(named.get(..8).unwrap_or_default())
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hkdf(salt: &[u8], secret: &[u8; 32], label: &[u8]) -> [u8; 32] {
    let key = Salt::new(HKDF_SHA256, salt).extract(secret);
    let mut derived = [0; 32];
    let filled = key.expand(&[label], HKDF_SHA256).and_then(|okm| okm.fill(&mut derived));
    filled.expect("32 bytes are one block of SHA-256, which every label can be expanded to");
    derived
}
