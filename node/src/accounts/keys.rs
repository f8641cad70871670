//! Ed25519 keys: the first, which comes with the cluster file, and later ones, which travel sealed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, MAX_TAG_LEN, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use kvs_client::ClusterFile;
use kvs_core::UnixMillis;
use kvs_core::account::{KeyId, SigningKey};
use kvs_core::token::{Claims, compact};
use uuid::Uuid;

/// Bytes of a sealed seed.
const COPY: usize = NONCE_LEN + 32 + MAX_TAG_LEN;

/// What tokens of this cluster are made and judged by.
#[derive(Clone)]
pub(super) struct Site {
    /// For whom tokens are.
    pub(super) cluster: Uuid,
    first: (String, [u8; 32]),
    /// Seal private keys: the first one seals, all of them open.
    ring: Vec<[u8; 32]>,
}

impl Site {
    pub(super) fn of(file: &ClusterFile) -> Self {
        let first = (file.signing_key().id().to_owned(), *file.signing_key().seed());
        let ring = (0..file.secrets().len()).filter_map(|at| file.accounts_key(at)).collect();
        Self { cluster: file.cluster(), first, ring }
    }

    /// The id and the public half of the first key.
    pub(super) fn first(&self) -> Option<(KeyId, Vec<u8>)> {
        let (kid, seed) = &self.first;
        Some((kid.parse().ok()?, public(seed)?))
    }

    /// A key of this seed, sealed with each secret of the ring: whichever of them a node has, now or
    /// after others were dropped, it can open the key.
    pub(super) fn seal(&self, kid: KeyId, seed: &[u8; 32], now: UnixMillis) -> Option<SigningKey> {
        let copies: Option<Vec<_>> =
            self.ring.iter().map(|secret| seal(secret, seed, &kid)).collect();
        let (public, sealed) = (public(seed)?, Some(copies?.concat()));
        Some(SigningKey { kid, public, sealed, created_at: now })
    }

    /// A token with these claims, signed with this key; nothing if its private half cannot be had.
    pub(super) fn sign(&self, key: &SigningKey, claims: &Claims) -> Option<String> {
        let seed = self.seed(key)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        // A record that names another's public half must not have tokens made that nobody believes.
        if pair.public_key().as_ref() != key.public {
            return None;
        }
        let signed = claims.to_sign(key.kid.as_str());
        Some(compact(&signed, pair.sign(signed.as_bytes()).as_ref()))
    }

    /// Whether the private half of a key can be had.
    pub(super) fn has(&self, key: &SigningKey) -> bool {
        self.seed(key).is_some()
    }

    fn seed(&self, key: &SigningKey) -> Option<[u8; 32]> {
        if self.first.0 == key.kid.as_str() {
            return Some(self.first.1);
        }
        self.ring.iter().find_map(|secret| open(secret, key))
    }

    /// The key sealed anew, if a secret of the ring does not open it.
    pub(super) fn resealed(&self, key: &SigningKey) -> Option<SigningKey> {
        key.sealed.as_ref()?;
        if self.ring.iter().all(|secret| open(secret, key).is_some()) {
            return None;
        }
        let seed = self.seed(key)?;
        self.seal(key.kid.clone(), &seed, key.created_at)
    }
}

fn seal(secret: &[u8; 32], seed: &[u8; 32], kid: &KeyId) -> Option<Vec<u8>> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, secret).ok()?;
    let mut sealed = seed.to_vec();
    let about = Aad::from(kid.as_str().as_bytes());
    let nonce = key.seal_in_place_append_tag(about, &mut sealed).ok()?;
    Some([nonce.as_ref().as_slice(), &sealed].concat())
}

/// The seed of a key, if one of its copies is sealed with this secret.
fn open(secret: &[u8; 32], signing: &SigningKey) -> Option<[u8; 32]> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, secret).ok()?;
    signing.sealed.as_deref()?.chunks_exact(COPY).find_map(|copy| {
        let (nonce, sealed) = copy.split_at(NONCE_LEN);
        let mut seed = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let about = Aad::from(signing.kid.as_str().as_bytes());
        let opened = key.open_in_place(nonce, about, &mut seed).ok()?;
        (&*opened).try_into().ok()
    })
}

fn public(seed: &[u8; 32]) -> Option<Vec<u8>> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    Some(pair.public_key().as_ref().to_vec())
}

/// Whether `signature` is that of `signed` under an Ed25519 key.
pub(super) fn fits(public: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(signed, signature).is_ok()
}
