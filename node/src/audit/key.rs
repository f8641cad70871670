//! The key that a node signs the heads of its log with.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use kvs_core::audit::{Head, SignedHead};

use super::layout;
use crate::store::{Batch, Column, Flush, Store, StoreError};

/// The public half, as Ed25519 has it.
pub type PublicKey = [u8; 32];

/// A node's own key: made with its log, never sent, in no backup.
pub struct NodeKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl NodeKey {
    /// The key of a store's node; a new one where there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read or written, or is none.
    pub fn open(store: &dyn Store) -> Result<Self, StoreError> {
        if let Some(seed) = store.get(Column::Local, layout::KEY)? {
            return Self::from_seed(&seed);
        }
        let seed: [u8; 32] = rand::random();
        let key = Self::from_seed(&seed)?;
        let mut batch = Batch::default();
        batch.put(Column::Local, layout::KEY, &seed);
        batch.put(Column::Local, layout::PUBLIC, &key.public);
        store.write(&batch, Flush::Synced)?;
        Ok(key)
    }

    fn from_seed(seed: &[u8]) -> Result<Self, StoreError> {
        let malformed = || StoreError::Damaged("the key of the audit log is malformed".into());
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_rejected| malformed())?;
        let public = pair.public_key().as_ref().try_into().map_err(|_length| malformed())?;
        Ok(Self { pair, public })
    }

    /// What others check its signatures with.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a head.
    pub fn sign(&self, head: Head) -> SignedHead {
        let signature = self.pair.sign(&head.to_sign()).as_ref().to_vec();
        SignedHead { head, signature }
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeKey(..)")
    }
}

/// Whether the owner of `key` signed this head.
pub fn is_signed(key: &PublicKey, signed: &SignedHead) -> bool {
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(&signed.head.to_sign(), &signed.signature).is_ok()
}
