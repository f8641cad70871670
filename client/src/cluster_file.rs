//! The cluster file: the one secret that all nodes of a cluster share.
//!
//! Everything that proves membership is derived from it: the keys that seal datagrams, the authority
//! that signs the nodes' certificates, the key of the digest tree. Its ring has up to
//! [`MAX_SECRETS`] secrets, so that one can be replaced while the cluster runs: add the new one on
//! every node, make it the first on every node, drop the old one.

mod derive;
mod disk;
mod secret;
mod text;

#[cfg(test)]
mod tests;

use uuid::{Builder, Uuid};

pub use self::disk::FileError;
pub use self::secret::{Secret, SigningKey};
pub use self::text::ParseError;

/// The newest format of the file that this build reads, and the one it writes.
pub const CLUSTER_FILE_FORMAT: u64 = 1;

/// Most secrets of a ring. Two are enough to replace one; the rest is room for being late.
pub const MAX_SECRETS: usize = 8;

/// What the nodes of a cluster share. [`std::fmt::Debug`] shows none of its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterFile {
    cluster: Uuid,
    /// 1 to [`MAX_SECRETS`], all different.
    secrets: Vec<Secret>,
    signing_key: SigningKey,
}

/// A change of the ring that would lock nodes out, or that names no secret. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// There is no room for another.
    #[error("the ring has {MAX_SECRETS} secrets, which is the most; drop one that is not used")]
    Full,
    /// The new secret is there already.
    #[error("the ring has this secret already")]
    Twice,
    /// No secret has this place.
    #[error("there is no secret {number}: the ring has {count}")]
    Absent {
        /// The place that was named, counted from 1.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// The first secret signs what nodes show each other.
    #[error("the first secret is in use; make another one the first on all nodes before this")]
    First,
}

impl ClusterFile {
    /// A new cluster with one secret. All three are random bytes that nobody else knows: the id's,
    /// the secret, the seed of the first signing key.
    pub fn new(id: [u8; 16], secret: [u8; 32], seed: [u8; 32]) -> Self {
        Self {
            cluster: Builder::from_random_bytes(id).into_uuid(),
            secrets: vec![Secret::new(secret)],
            signing_key: SigningKey::new(seed),
        }
    }

    /// Which cluster this is.
    pub const fn cluster(&self) -> Uuid {
        self.cluster
    }

    /// The ring: the first secret seals and signs, all of them open and verify.
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// The first key that tokens are signed with.
    pub const fn signing_key(&self) -> &SigningKey {
        &self.signing_key
    }

    /// Adds a secret at the end of the ring: it opens and verifies, and does not yet seal.
    ///
    /// # Errors
    ///
    /// The ring is full, or has it already.
    pub fn add_secret(&mut self, random: [u8; 32]) -> Result<(), RingError> {
        let secret = Secret::new(random);
        if self.secrets.contains(&secret) {
            return Err(RingError::Twice);
        }
        if self.secrets.len() >= MAX_SECRETS {
            return Err(RingError::Full);
        }
        self.secrets.push(secret);
        Ok(())
    }

    /// Makes the secret at this place, counted from 0, the first one.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn promote(&mut self, at: usize) -> Result<(), RingError> {
        self.check(at)?;
        let secret = self.secrets.remove(at);
        self.secrets.insert(0, secret);
        Ok(())
    }

    /// Drops the secret at this place, counted from 0.
    ///
    /// # Errors
    ///
    /// There is none, or it is the first, which nodes still show each other.
    pub fn drop_secret(&mut self, at: usize) -> Result<(), RingError> {
        self.check(at)?;
        if at == 0 {
            return Err(RingError::First);
        }
        self.secrets.remove(at);
        Ok(())
    }

    fn check(&self, at: usize) -> Result<(), RingError> {
        let count = self.secrets.len();
        if at < count { Ok(()) } else { Err(RingError::Absent { number: at + 1, count }) }
    }
}
