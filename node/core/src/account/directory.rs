//! All accounts as one node knows them: what requests ask.

use std::collections::{BTreeMap, BTreeSet};

use super::{Group, KeyId, Name, Place, Record, Revocation, Revoked, SigningKey, Token, User};
use crate::id::{GroupId, TokenId, UserId};
use crate::scope::ScopeSet;
use crate::stamp::{Stamp, UnixMillis};
use crate::token::{Claims, TokenError};

/// The accounts that one node knows: the current version of each record, in any order of arrival.
///
/// Law, a property test: what the directory says depends on the last record of each place alone,
/// and a revocation that was ever told is in force until its end.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    users: BTreeMap<Name, User>,
    names: BTreeMap<UserId, Name>,
    groups: BTreeMap<Name, Group>,
    members: BTreeSet<(UserId, GroupId)>,
    tokens: BTreeMap<TokenId, Token>,
    keys: BTreeMap<KeyId, (Stamp, SigningKey)>,
    revoked: BTreeMap<Revoked, UnixMillis>,
}

/// What somebody may do, before modes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Who.
    pub user: UserId,
    /// Their groups.
    pub groups: Vec<GroupId>,
    /// What the token permits of what the user and their groups may do.
    pub scopes: ScopeSet,
}

impl Directory {
    /// Takes the current version of a record, written at `stamp`.
    pub fn put(&mut self, stamp: Stamp, record: Record) {
        self.remove(&record.place());
        match record {
            Record::User(user) => {
                self.names.insert(user.id, user.name.clone());
                self.users.insert(user.name.clone(), user);
            }
            Record::Group(group) => {
                self.groups.insert(group.name.clone(), group);
            }
            Record::Membership(member) => {
                self.members.insert((member.user, member.group));
            }
            Record::Token(token) => {
                self.tokens.insert(token.id, token);
            }
            Record::SigningKey(key) => {
                self.keys.insert(key.kid.clone(), (stamp, key));
            }
            Record::Revocation(revocation) => self.revoke(&revocation),
        }
    }

    /// Takes that a record is absent by now. A revocation stays: it is in its key, which a
    /// tombstone has too.
    pub fn remove(&mut self, place: &Place) {
        match place {
            Place::User(name) => {
                if let Some(user) = self.users.remove(name) {
                    self.names.remove(&user.id);
                }
            }
            Place::Group(name) => {
                self.groups.remove(name);
            }
            Place::Membership(group, user) => {
                self.members.remove(&(*user, *group));
            }
            Place::Token(token) => {
                self.tokens.remove(token);
            }
            Place::SigningKey(kid) => {
                self.keys.remove(kid);
            }
            Place::Revocation(revocation) => self.revoke(revocation),
        }
    }

    fn revoke(&mut self, revocation: &Revocation) {
        let until = self.revoked.entry(revocation.what.clone()).or_default();
        *until = (*until).max(revocation.until);
    }

    /// Forgets tokens that have ended, and revocations that nothing can be concerned by any more.
    pub fn forget(&mut self, now: UnixMillis) {
        self.tokens.retain(|_, token| now < token.expires_at.millis());
        self.revoked.retain(|what, until| {
            Revocation { what: what.clone(), until: *until }.is_in_force(now)
        });
    }

    /// Whether `what` is revoked at `now`.
    pub fn is_revoked(&self, what: &Revoked, now: UnixMillis) -> bool {
        let in_force =
            |until: &UnixMillis| Revocation { what: what.clone(), until: *until }.is_in_force(now);
        self.revoked.get(what).is_some_and(in_force)
    }

    /// The user of that name, whether they may log in or not. A deleted one is not found, though an
    /// edit that did not know may have brought the record back.
    pub fn user(&self, name: &Name, now: UnixMillis) -> Option<&User> {
        let user = self.users.get(name)?;
        (!self.is_revoked(&Revoked::User(user.id), now)).then_some(user)
    }

    /// The user with that id: see [`Self::user`].
    pub fn user_by_id(&self, id: UserId, now: UnixMillis) -> Option<&User> {
        self.user(self.names.get(&id)?, now)
    }

    /// Records of users that were brought back after they were deleted: each is to be deleted again.
    pub fn ghosts(&self, now: UnixMillis) -> impl Iterator<Item = &User> {
        self.users.values().filter(move |user| self.is_revoked(&Revoked::User(user.id), now))
    }

    /// Every user who is not deleted, by name.
    pub fn users(&self, now: UnixMillis) -> impl Iterator<Item = &User> {
        self.users.keys().filter_map(move |name| self.user(name, now))
    }

    /// Every group, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The group of that name.
    pub fn group(&self, name: &Name) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The groups that a user is in and that are there.
    pub fn groups_of(&self, user: UserId) -> impl Iterator<Item = &Group> {
        self.groups.values().filter(move |group| self.members.contains(&(user, group.id)))
    }

    /// The users in a group.
    pub fn members_of(&self, group: GroupId) -> impl Iterator<Item = UserId> {
        self.members.iter().filter(move |member| member.1 == group).map(|member| member.0)
    }

    /// What is known of a token that has not ended; it may be revoked.
    pub fn token(&self, token: TokenId, now: UnixMillis) -> Option<&Token> {
        self.tokens.get(&token).filter(|token| now < token.expires_at.millis())
    }

    /// Every signing key that is not revoked, oldest first.
    pub fn signing_keys(&self, now: UnixMillis) -> impl Iterator<Item = (Stamp, &SigningKey)> {
        let valid = move |key: &&(Stamp, SigningKey)| {
            !self.is_revoked(&Revoked::Key(key.1.kid.clone()), now)
        };
        self.keys.values().filter(valid).map(|(stamp, key)| (*stamp, key))
    }

    /// The group with that id.
    pub fn group_by_id(&self, id: GroupId) -> Option<&Group> {
        self.groups.values().find(|group| group.id == id)
    }

    /// Whether nobody was ever made here: not even somebody who was deleted.
    pub fn is_new(&self) -> bool {
        let deleted = |what: &Revoked| matches!(what, Revoked::User(_));
        self.users.is_empty() && !self.revoked.keys().any(deleted)
    }

    /// What is known of every token.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// The signing key of that name, unless it is revoked.
    pub fn signing_key(&self, kid: &KeyId, now: UnixMillis) -> Option<&SigningKey> {
        let (_, key) = self.keys.get(kid)?;
        (!self.is_revoked(&Revoked::Key(kid.clone()), now)).then_some(key)
    }

    /// The key that signs new tokens, given the cluster's horizon: see [`SigningKey::choose`]. Whether
    /// its private half can be had is the caller's to know: in a restored store are keys of the cluster
    /// that it was.
    pub fn signs(
        &self,
        horizon: Stamp,
        now: UnixMillis,
        can_sign: impl Fn(&SigningKey) -> bool,
    ) -> Option<&SigningKey> {
        let keys = self.keys.values().map(|(stamp, key)| (*stamp, key));
        let keys = keys.filter(|(_, key)| can_sign(key));
        SigningKey::choose(keys, horizon, |kid| self.is_revoked(&Revoked::Key(kid.clone()), now))
    }

    /// What a user may do without the limits of a token: their own scopes and those of their groups.
    pub fn holds(&self, user: &User) -> ScopeSet {
        self.groups_of(user.id).fold(user.scopes.clone(), |all, group| all.union(&group.scopes))
    }

    /// What somebody may do who shows a token with `claims`, signed with `kid`. That the signature
    /// fits and the claims hold is known.
    ///
    /// # Errors
    ///
    /// The token or its key is revoked, or the user deleted or disabled.
    pub fn rights(
        &self,
        kid: &KeyId,
        claims: &Claims,
        now: UnixMillis,
    ) -> Result<Rights, TokenError> {
        let revoked = [Revoked::Token(claims.jti), Revoked::Key(kid.clone())];
        if revoked.iter().any(|what| self.is_revoked(what, now)) {
            return Err(TokenError::Revoked);
        }
        let user = self.user_by_id(claims.sub, now).filter(|user| !user.disabled);
        let user = user.ok_or(TokenError::User)?;
        Ok(Rights {
            user: user.id,
            groups: self.groups_of(user.id).map(|group| group.id).collect(),
            scopes: claims.scopes.intersection(&self.holds(user)),
        })
    }
}
