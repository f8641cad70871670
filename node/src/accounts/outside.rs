//! Somebody for whom somebody outside vouches: an authority by a certificate, an issuer by a token.
//! What they may do is up to the user and the groups here that have the names that were vouched for.

use std::sync::Arc;

use kvs_core::account::{Directory, KeyId, Name, Rights};
use kvs_core::token::{Claims, Period, TokenError, UnixSeconds};
use kvs_core::{TokenId, UnixMillis};
use uuid::Uuid;

use super::{Accounts, Known, Unbelieved};
use crate::caller::Bearer;

/// Somebody for whom somebody outside vouches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// Who vouches: an issuer, or what stands for the authorities of certificates.
    pub by: String,
    /// What the user is called here.
    pub user: Name,
    /// The groups that they are in as long as this holds, beside those that they are in here; what is
    /// no group here does not count.
    pub groups: Vec<Name>,
    /// When it holds.
    pub period: Period,
}

/// What a client showed of itself when its connection began. That an authority that is believed has
/// signed it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// It is somebody's.
    Of {
        /// Whose.
        outside: Arc<Outside>,
        /// What tells it from all others.
        hash: [u8; 32],
    },
    /// It has no name, or one that no user can have.
    OfNobody,
}

impl Accounts {
    /// The bearer of what hashes to `hash` and was seen to vouch for `outside`, which counts until it
    /// is to be looked at again.
    ///
    /// # Errors
    ///
    /// It does not hold now, or nobody here has that name, or they are disabled.
    pub fn admit(
        &self,
        hash: [u8; 32],
        outside: Arc<Outside>,
        until: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Arc<Bearer>, Unbelieved> {
        let generation = *self.generation.borrow();
        let bearer = self.judge_outside(outside, now)?;
        Ok(self.keep(hash, Known::of(bearer, generation, until)))
    }

    /// The bearer of a certificate.
    ///
    /// # Errors
    ///
    /// As [`Self::admit`].
    pub fn admit_certificate(
        &self,
        hash: [u8; 32],
        outside: &Arc<Outside>,
        now: UnixMillis,
    ) -> Result<Arc<Bearer>, Unbelieved> {
        let known = self.recall_hash(hash, now);
        known.unwrap_or_else(|| self.admit(hash, outside.clone(), None, now))
    }

    pub(super) fn judge_outside(
        &self,
        outside: Arc<Outside>,
        now: UnixMillis,
    ) -> Result<Bearer, TokenError> {
        outside.period.check(now, self.drift)?;
        let rights = outside.rights(&self.directory(), now)?;
        let claims = outside.claims(&rights, now);
        let name = outside.user.clone();
        let bearer = Bearer::new(name, rights, KeyId::none(), claims);
        Ok(Bearer { outside: Some(outside), ..bearer })
    }
}

impl Outside {
    fn rights(&self, directory: &Directory, now: UnixMillis) -> Result<Rights, TokenError> {
        let user = directory.user(&self.user, now).filter(|user| !user.disabled);
        let user = user.ok_or_else(|| TokenError::Unmapped(self.user.to_string()))?;
        let vouched = self.groups.iter().filter_map(|name| directory.group(name));
        let mut groups: Vec<_> = directory.groups_of(user.id).map(|group| group.id).collect();
        let mut scopes = directory.holds(user);
        for group in vouched {
            if !groups.contains(&group.id) {
                groups.push(group.id);
                scopes = scopes.union(&group.scopes);
            }
        }
        Ok(Rights { user: user.id, groups, scopes })
    }

    /// What a token of ours would say that permits as much for as long.
    fn claims(&self, rights: &Rights, now: UnixMillis) -> Claims {
        Claims {
            iss: self.by.clone(),
            aud: String::new(),
            sub: rights.user,
            scopes: rights.scopes.clone(),
            iat: self.period.start.unwrap_or(UnixSeconds::of(now)),
            exp: self.period.end,
            jti: TokenId::new(Uuid::nil()),
        }
    }
}
