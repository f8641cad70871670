//! Datagrams that only nodes with the cluster's secret can write, read or repeat.
//!
//! ```text
//! version 1 | key id 4 | nonce 24 | XChaCha20-Poly1305 (boot id 8, counter 8, payload …) | tag 16
//! ```
//!
//! Numbers are big-endian. Associated data is the cluster's id. Each sender numbers its datagrams
//! from its start on, so that none is taken twice; age plays no part, as a node with a slow clock
//! must not be cut off.

mod replays;

use std::fmt;

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use thiserror::Error;

use self::replays::Replays;
use crate::membership::BootId;

/// The format of datagrams that this build writes, and the only one it reads.
pub const VERSION: u8 = 1;

/// Bytes that sealing adds to a payload.
pub const OVERHEAD: usize = HEADER + NUMBERS + TAG;

/// Length of a nonce.
pub const NONCE: usize = 24;

const KEY_ID: usize = 4;
const HEADER: usize = 1 + KEY_ID + NONCE;
const NUMBERS: usize = 8 + 8;
const TAG: usize = 16;

/// Why a datagram was refused. It has had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum OpenError {
    /// Shorter than an empty payload, sealed.
    #[error("{0} bytes are too few for a datagram: it has at least {OVERHEAD}")]
    TooShort(usize),
    /// Of another format.
    #[error("its format is {0}; this build reads {VERSION}")]
    UnknownVersion(u8),
    /// Sealed with a key that is not in the ring: by a stranger, or after a rotation that this node
    /// has not been told of.
    #[error("its key {} is not one of this cluster's", hex(*.0))]
    UnknownKey([u8; KEY_ID]),
    /// Not sealed with the key that it names, of another cluster, or damaged.
    #[error("it is forged or damaged")]
    Forged,
    /// Taken already, or too old to tell.
    #[error("it is a repetition: number {counter} of the process {boot}")]
    Replayed {
        /// The process that sealed it.
        boot: BootId,
        /// Its number there.
        counter: u64,
    },
}

fn hex(id: [u8; KEY_ID]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

/// The keys of a cluster: the first seals, all open.
///
/// To change the secret without an outage, add the new one everywhere as the last, make it the
/// first everywhere, then drop the old one.
#[derive(Clone)]
pub struct KeyRing {
    cluster: [u8; 16],
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: [u8; KEY_ID],
    cipher: XChaCha20Poly1305,
}

impl Key {
    /// The secret serves other purposes too; this is the key for this one.
    fn derive(secret: &[u8; 32]) -> Self {
        let key = blake3::derive_key("kvs 2026 datagrams: key", secret);
        let named = blake3::derive_key("kvs 2026 datagrams: key id", &key);
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&named[..KEY_ID]);
        Self { id, cipher: XChaCha20Poly1305::new(&key.into()) }
    }
}

impl KeyRing {
    /// The ring for these secrets of a cluster.
    #[must_use]
    pub fn new(cluster: [u8; 16], first: &[u8; 32], others: &[[u8; 32]]) -> Self {
        let secrets = std::iter::once(first).chain(others);
        Self { cluster, keys: secrets.map(Key::derive).collect() }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| hex(key.id))).finish()
    }
}

/// What seals and opens the datagrams of one process.
#[derive(Debug)]
pub struct Sealer {
    ring: KeyRing,
    boot: BootId,
    counter: u64,
    replays: Replays,
}

impl Sealer {
    /// The sealer of a process that has sealed nothing yet.
    #[must_use]
    pub fn new(ring: KeyRing, boot: BootId) -> Self {
        Self { ring, boot, counter: 0, replays: Replays::default() }
    }

    /// Goes on with other keys.
    pub fn rotate(&mut self, ring: KeyRing) {
        self.ring = ring;
    }

    /// Seals a payload. `nonce` must be random: it is never to be used twice.
    #[must_use]
    pub fn seal(&mut self, nonce: [u8; NONCE], payload: &[u8]) -> Vec<u8> {
        self.counter += 1;
        let key = &self.ring.keys[0];
        let mut bytes = Vec::with_capacity(OVERHEAD + payload.len());
        bytes.push(VERSION);
        bytes.extend(key.id);
        bytes.extend(nonce);
        bytes.extend(self.boot.0.to_be_bytes());
        bytes.extend(self.counter.to_be_bytes());
        bytes.extend(payload);
        let plain = (&mut bytes[HEADER..]).into();
        let tag =
            key.cipher.encrypt_inout_detached(&XNonce::from(nonce), &self.ring.cluster, plain);
        // It refuses only what is longer than 256 GiB; without its tag it would not be opened.
        bytes.extend(tag.unwrap_or_default());
        bytes
    }

    /// Opens a datagram.
    ///
    /// # Errors
    ///
    /// It is not a new one of this cluster.
    pub fn open(&mut self, datagram: &[u8]) -> Result<Vec<u8>, OpenError> {
        let short = OpenError::TooShort(datagram.len());
        let (version, rest) = datagram.split_first().ok_or(short)?;
        if *version != VERSION {
            return Err(OpenError::UnknownVersion(*version));
        }
        let (id, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(short)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(short)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>().ok_or(short)?;
        if sealed.len() < NUMBERS {
            return Err(short);
        }
        let key = self.ring.keys.iter().find(|key| key.id == *id);
        let key = key.ok_or(OpenError::UnknownKey(*id))?;
        let mut plain = sealed.to_vec();
        key.cipher
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &self.ring.cluster,
                plain.as_mut_slice().into(),
                &(*tag).into(),
            )
            .map_err(|_opaque| OpenError::Forged)?;
        self.admit(plain)
    }

    /// Takes the payload out of what was opened, unless it was taken before.
    fn admit(&mut self, mut plain: Vec<u8>) -> Result<Vec<u8>, OpenError> {
        let short = OpenError::TooShort(OVERHEAD - NUMBERS + plain.len());
        let (boot, rest) = plain.split_first_chunk::<8>().ok_or(short)?;
        let (counter, _) = rest.split_first_chunk::<8>().ok_or(short)?;
        let (boot, counter) = (BootId(u64::from_be_bytes(*boot)), u64::from_be_bytes(*counter));
        // What this process sealed itself can only come back by a repetition.
        if boot == self.boot || !self.replays.is_new(boot, counter) {
            return Err(OpenError::Replayed { boot, counter });
        }
        Ok(plain.split_off(NUMBERS))
    }
}

#[cfg(test)]
mod tests;
