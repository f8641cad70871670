//! Accounts as this node knows them: users, groups, tokens and keys, in memory and as of the last
//! commit, and whether a token is to be believed.
//!
//! The records are written by the writer as all others are; it tells this view of each before
//! anybody hears that it was written. So a token that was revoked here is refused from the answer
//! on, and elsewhere from the moment that the revocation arrives.

mod change;
mod error;
mod keys;
mod outside;
mod root;
#[cfg(test)]
mod tests;
mod upkeep;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use kvs_client::ClusterFile;
use kvs_core::account::{Directory, KeyId, Name, Place, Revoked, decode};
use kvs_core::token::{Algorithm, Claims, Expected, Lifetimes, TokenError, Unverified};
use kvs_core::{Body, Key, Kind, Prefix, UnixMillis, Version, key};
use quick_cache::sync::Cache;
use tokio::sync::watch;

pub use change::{Changes, GroupChange, Made, NewToken, UserChange};
pub use error::AccountError;
pub use outside::{Certificate, Outside};
pub use upkeep::{ROOT_TOKEN, upkeep};

use self::keys::Site;
use crate::caller::Bearer;
use crate::store::{Column, Read, StoreError, rows};

/// Who makes our tokens, as their `iss` says it.
pub const ISSUER: &str = "kvs";

/// Tokens whose signature need not be checked again; others are forgotten.
const REMEMBERED_TOKENS: usize = 16_384;

/// Why somebody's credentials are not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unbelieved {
    /// They are not good.
    Refused(TokenError),
    /// This node does not know yet whether they are.
    NotKnown,
    /// They were good, and have to be looked at again.
    Stale,
    /// What their issuer says of them cannot be had now.
    Unreachable {
        /// Who made them.
        issuer: String,
    },
}

impl From<TokenError> for Unbelieved {
    fn from(error: TokenError) -> Self {
        Self::Refused(error)
    }
}

/// A token that was shown before, with what its bearer might do when the directory was at
/// `generation`.
#[derive(Clone)]
struct Known {
    generation: u64,
    bearer: Arc<Bearer>,
    /// When it has to be looked at again, whatever it says itself.
    until: Option<UnixMillis>,
}

impl Known {
    fn of(bearer: Bearer, generation: u64, until: Option<UnixMillis>) -> Self {
        Self { generation, bearer: Arc::new(bearer), until }
    }
}

/// The accounts that one node knows.
pub struct Accounts {
    directory: RwLock<Directory>,
    /// Counts changes: what was found under one generation holds until the next.
    generation: watch::Sender<u64>,
    known: Cache<[u8; 32], Known>,
    /// What the cluster file says; not there while this node waits for it.
    site: OnceLock<RwLock<Site>>,
    lifetimes: Lifetimes,
    /// By how much another node's clock may be off.
    drift: Duration,
    /// Whether what the cluster knew when this node came was seen once.
    ready: watch::Sender<bool>,
    /// Whether a token of the first user was made in this run.
    born: AtomicBool,
}

impl fmt::Debug for Accounts {
    /// Shows nobody and no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

impl Accounts {
    /// The accounts that the store holds.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn load(
        store: &dyn Read,
        lifetimes: Lifetimes,
        drift: Duration,
        now: UnixMillis,
    ) -> Result<Self, StoreError> {
        let accounts = Self {
            directory: RwLock::default(),
            generation: watch::Sender::new(0),
            known: Cache::new(REMEMBERED_TOKENS),
            site: OnceLock::new(),
            lifetimes,
            drift,
            ready: watch::Sender::new(false),
            born: AtomicBool::new(false),
        };
        accounts.follow(&stored(store, now)?);
        Ok(accounts)
    }

    /// No accounts: what nodes without authentication have.
    pub fn none() -> Self {
        let (hour, month) = (Duration::from_hours(1), Duration::from_hours(720));
        let lifetimes = Lifetimes { usual: hour, most: month };
        Self {
            directory: RwLock::default(),
            generation: watch::Sender::new(0),
            known: Cache::new(1),
            site: OnceLock::new(),
            lifetimes,
            drift: Duration::from_mins(1),
            ready: watch::Sender::new(false),
            born: AtomicBool::new(false),
        }
    }

    /// Takes over the system's own records that were just written.
    pub fn follow(&self, changes: &[(Key, Version)]) {
        let mut places =
            changes.iter().filter_map(|(key, version)| Some((Place::of(key)?, key, version)));
        let Some(first) = places.next() else { return };
        let mut directory = self.directory.write().unwrap_or_else(PoisonError::into_inner);
        for (place, key, version) in std::iter::once(first).chain(places) {
            take(&mut directory, &place, key, version);
        }
        drop(directory);
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// The directory as it is now. Nothing may wait while it is held.
    pub fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To wait for changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Takes over what the cluster file says.
    pub fn found(&self, file: &ClusterFile) {
        let site = Site::of(file);
        let known = self.site.get_or_init(|| RwLock::new(site.clone()));
        *known.write().unwrap_or_else(PoisonError::into_inner) = site;
    }

    /// Whether credentials can be judged here.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Waits until credentials can be judged here.
    pub async fn ready(&self) {
        // It ends with the node, and then there is nothing to wait for.
        let _ = self.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Whether a token of the first user was made in this run.
    pub fn were_born(&self) -> bool {
        self.born.load(Ordering::Acquire)
    }

    /// As [`Self::believe`], for a token that was shown before and believed then; of any other,
    /// nothing. The signature is not checked again: the text has not changed. A token of an issuer
    /// outside becomes stale after a while, since that issuer may have given up its key.
    pub fn recall(&self, token: &str, now: UnixMillis) -> Option<Result<Arc<Bearer>, Unbelieved>> {
        self.recall_hash(hash(token), now)
    }

    fn recall_hash(
        &self,
        hash: [u8; 32],
        now: UnixMillis,
    ) -> Option<Result<Arc<Bearer>, Unbelieved>> {
        // First: what is found below may then be newer, and never older.
        let generation = *self.generation.borrow();
        let Known { generation: then, bearer, until } = self.known.get(&hash)?;
        if until.is_some_and(|until| until <= now) {
            return Some(Err(Unbelieved::Stale));
        }
        if then == generation {
            let period = bearer.claims.period().check(now, self.drift);
            return Some(period.map(|()| bearer).map_err(Into::into));
        }
        let judged = self.renew(&bearer, now);
        let kept = judged.map(|bearer| self.keep(hash, Known::of(bearer, generation, until)));
        Some(kept.map_err(Into::into))
    }

    /// Who shows this token of our own, and what they may do, if it is to be believed at `now`.
    ///
    /// # Errors
    ///
    /// It is not to be believed, or this node cannot know.
    pub fn believe(&self, token: &str, now: UnixMillis) -> Result<Arc<Bearer>, Unbelieved> {
        self.recall(token, now).unwrap_or_else(|| self.examine(token, now))
    }

    /// As [`Self::believe`], for a token that was not shown before.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn examine(&self, token: &str, now: UnixMillis) -> Result<Arc<Bearer>, Unbelieved> {
        let generation = *self.generation.borrow();
        let (kid, claims) = self.verify(token, now)?;
        let bearer = self.judge(kid, claims, now)?;
        Ok(self.keep(hash(token), Known::of(bearer, generation, None)))
    }

    fn keep(&self, hash: [u8; 32], known: Known) -> Arc<Bearer> {
        let bearer = known.bearer.clone();
        self.known.insert(hash, known);
        bearer
    }

    /// The same bearer with what they may do by now.
    ///
    /// # Errors
    ///
    /// The token has ended or was revoked, or its user was deleted or disabled.
    pub fn renew(&self, bearer: &Bearer, now: UnixMillis) -> Result<Bearer, TokenError> {
        match &bearer.outside {
            Some(outside) => self.judge_outside(outside.clone(), now),
            None => self.judge(bearer.kid.clone(), bearer.claims.clone(), now),
        }
    }

    fn judge(&self, kid: KeyId, claims: Claims, now: UnixMillis) -> Result<Bearer, TokenError> {
        claims.period().check(now, self.drift)?;
        let directory = self.directory();
        let rights = directory.rights(&kid, &claims, now)?;
        let name = directory.user_by_id(rights.user, now).map(|user| user.name.clone());
        let name = name.ok_or(TokenError::User)?;
        Ok(Bearer::new(name, rights, kid, claims))
    }

    /// What a token says whose signature fits, and that was made for here and now.
    fn verify(&self, token: &str, now: UnixMillis) -> Result<(KeyId, Claims), Unbelieved> {
        let site = self.site().ok_or(Unbelieved::NotKnown)?;
        let token = Unverified::parse(token)?;
        let issuer = token.issuer()?;
        if issuer != ISSUER {
            return Err(TokenError::Issuer(issuer).into());
        }
        let named = token.kid().unwrap_or_default().to_owned();
        let unknown = || TokenError::UnknownKey(named.clone());
        let kid: KeyId = named.parse().map_err(|_malformed| unknown())?;
        let public = {
            let directory = self.directory();
            if directory.is_revoked(&Revoked::Key(kid.clone()), now) {
                return Err(TokenError::Revoked.into());
            }
            directory.signing_key(&kid, now).map(|key| key.public.clone()).ok_or_else(unknown)?
        };
        let verified = token
            .verify(Algorithm::EdDsa, |signed, signature| keys::fits(&public, signed, signature))?;
        let claims = verified.claims()?;
        let audience = site.cluster.to_string();
        let drift = self.drift;
        claims.check(&Expected { issuer: ISSUER, audience: &audience, now, drift })?;
        Ok((kid, claims))
    }

    fn site(&self) -> Option<Site> {
        let site = self.site.get()?;
        Some(site.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Whether the name is one of a user who is not deleted.
    pub fn has_user(&self, name: &Name, now: UnixMillis) -> bool {
        self.directory().user(name, now).is_some()
    }
}

/// What a token is remembered by.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

/// Every record of accounts in the store. What has expired says nothing any more, revocations
/// apart, whose keys do.
fn stored(store: &dyn Read, now: UnixMillis) -> Result<Vec<(Key, Version)>, StoreError> {
    let malformed = |error: kvs_core::KeyError| StoreError::Failed(error.to_string());
    let prefix = Prefix::Under(Key::system(key::SYSTEM).map_err(malformed)?);
    let (start, end) = prefix.range(Kind::Value);
    let mut cursor = store.cursor(Column::Data, &start, &end);
    let mut found = Vec::new();
    while let Some((row, value)) = cursor.next()? {
        let record = kvs_core::RecordId::decode(row).map_err(|_key| {
            rows::damaged(Column::Data, row, kvs_core::codec::DecodeError::Field("the key"))
        })?;
        let Some(place) = Place::of(&record.key) else { continue };
        let (_, version) = crate::records::decode(row, value.to_vec())?;
        let gone = version.head().absence(now).is_some();
        if !gone || matches!(place, Place::Revocation(_)) {
            found.push((record.key, version));
        }
    }
    Ok(found)
}

fn take(directory: &mut Directory, place: &Place, key: &Key, version: &Version) {
    let Body::Value(value) = &version.body else { return directory.remove(place) };
    let decoded = value.bytes().map_err(|error| error.to_string());
    let decoded = decoded.and_then(|body| decode(key, &body).map_err(|error| error.to_string()));
    match decoded {
        Ok(record) => directory.put(version.stamp, record),
        Err(error) => {
            tracing::error!(error, "a record of accounts cannot be read, and does not count");
            directory.remove(place);
        }
    }
}
