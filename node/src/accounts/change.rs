//! Making, changing and ending users, groups, tokens and keys, for somebody who may not give what
//! they lack.

use std::sync::Arc;
use std::time::Duration;

use kvs_core::account::{
    Directory, Group, KeyId, Lacking, Membership, Name, Place, Record, Revocation, SigningKey,
    Token, User, decode, encode, may_change,
};
use kvs_core::audit::Subject;
use kvs_core::decide::{Condition, Expiry, Rejection};
use kvs_core::token::{Claims, Lifetimes};
use kvs_core::{
    Body, Command, ContentType, GroupId, RecordId, Right, Scope, ScopeSet, Stamp, TokenId,
    UnixMillis, UserId, Value, VersionId,
};
use uuid::Uuid;

use super::{AccountError, Accounts, ISSUER};
use crate::caller::Caller;
use crate::node::Node;
use crate::writer::{Refused, Write};

/// How often a change is tried that others get in the way of.
const ATTEMPTS: usize = 16;

/// What is to change of a user.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Their own scopes.
    pub scopes: Option<ScopeSet>,
    /// Whether all their tokens are refused for now.
    pub disabled: Option<bool>,
}

/// What is to change of a group.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    /// What its members may ask for.
    pub scopes: Option<ScopeSet>,
}

/// A token that is wanted.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// Whose; the caller's own if left out.
    pub user: Option<Name>,
    /// What it is to permit; if left out, what both its user and the caller hold.
    pub scopes: Option<ScopeSet>,
    /// How long it is to live; if left out, as configured.
    pub ttl: Option<Duration>,
}

/// A token that was made. [`std::fmt::Debug`] does not show it.
pub struct Made {
    /// The token itself, which is kept nowhere.
    pub token: String,
    /// What is known of it.
    pub record: Token,
    /// Whose it is.
    pub user: Name,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("record", &self.record).finish_non_exhaustive()
    }
}

/// Somebody who changes accounts.
#[derive(Debug)]
pub struct Changes<'a> {
    node: &'a Arc<Node>,
    held: ScopeSet,
    user: Option<UserId>,
    /// Who they are to the tamper-evident log.
    subject: Subject,
}

impl Accounts {
    /// Changes for `caller`. That they may make changes of that kind at all is known.
    pub fn changes_by<'a>(node: &'a Arc<Node>, caller: &Caller) -> Changes<'a> {
        Changes { node, held: caller.scopes(), user: caller.user(), subject: caller.subject() }
    }

    /// Changes that the node makes by itself.
    pub(super) fn changes_by_itself(node: &Arc<Node>) -> Changes<'_> {
        let held = ScopeSet::everything();
        Changes { node, held, user: None, subject: Subject::Node }
    }
}

impl Changes<'_> {
    /// Makes a user.
    ///
    /// # Errors
    ///
    /// The name is in use, or the caller lacks a scope that the user would have.
    pub async fn create_user(&self, name: Name, scopes: ScopeSet) -> Result<User, AccountError> {
        may_change(&self.held, &ScopeSet::EMPTY, &scopes)?;
        let (id, created_at) = (UserId::new(Uuid::new_v4()), self.node.now());
        let user = User { id, name: name.clone(), scopes, disabled: false, created_at };
        self.create(Record::User(user.clone()), "user", name).await?;
        Ok(user)
    }

    /// Makes a group.
    ///
    /// # Errors
    ///
    /// The name is in use, or the caller lacks a scope that its members would have.
    pub async fn create_group(&self, name: Name, scopes: ScopeSet) -> Result<Group, AccountError> {
        may_change(&self.held, &ScopeSet::EMPTY, &scopes)?;
        let (id, created_at) = (GroupId::new(Uuid::new_v4()), self.node.now());
        let group = Group { id, name: name.clone(), scopes, created_at };
        self.create(Record::Group(group.clone()), "group", name).await?;
        Ok(group)
    }

    async fn create(
        &self,
        record: Record,
        what: &'static str,
        name: Name,
    ) -> Result<(), AccountError> {
        let write = put(&record, Condition::Absent, self.node.now())?;
        match self.write(vec![write]).await {
            Err(AccountError::Contended) => Err(AccountError::Exists { what, name }),
            done => done,
        }
    }

    /// Changes a user.
    ///
    /// # Errors
    ///
    /// There is none, or they hold or would hold a scope that the caller lacks.
    pub async fn update_user(&self, name: &Name, change: UserChange) -> Result<User, AccountError> {
        for _ in 0..ATTEMPTS {
            let (version, user) = self.user_record(name).await?;
            let mut changed = user.clone();
            changed.scopes = change.scopes.clone().unwrap_or(changed.scopes);
            changed.disabled = change.disabled.unwrap_or(changed.disabled);
            let (before, after) = {
                let directory = self.node.accounts().directory();
                (directory.holds(&user), directory.holds(&changed))
            };
            may_change(&self.held, &before, &after)?;
            if self.replace(&Record::User(changed.clone()), version).await? {
                return Ok(changed);
            }
        }
        Err(AccountError::Contended)
    }

    /// Changes a group.
    ///
    /// # Errors
    ///
    /// There is none, or it holds or would hold a scope that the caller lacks.
    pub async fn update_group(
        &self,
        name: &Name,
        change: GroupChange,
    ) -> Result<Group, AccountError> {
        for _ in 0..ATTEMPTS {
            let (version, group) = self.group_record(name).await?;
            let mut changed = group.clone();
            changed.scopes = change.scopes.clone().unwrap_or(changed.scopes);
            may_change(&self.held, &group.scopes, &changed.scopes)?;
            if self.replace(&Record::Group(changed.clone()), version).await? {
                return Ok(changed);
            }
        }
        Err(AccountError::Contended)
    }

    /// Deletes a user for good: nothing brings the id back, and their tokens are refused from now on.
    ///
    /// # Errors
    ///
    /// There is none, or they hold a scope that the caller lacks.
    pub async fn delete_user(&self, name: &Name) -> Result<(), AccountError> {
        let (writes, before) = {
            let directory = self.node.accounts().directory();
            let user = user(&directory, name, self.node.now())?;
            let mut writes = vec![
                put(
                    &Record::Revocation(Revocation::user(user.id)),
                    Condition::Always,
                    self.node.now(),
                )?,
                delete(&Place::User(name.clone()))?,
            ];
            for group in directory.groups_of(user.id) {
                writes.push(delete(&Place::Membership(group.id, user.id))?);
            }
            (writes, directory.holds(user))
        };
        may_change(&self.held, &before, &ScopeSet::EMPTY)?;
        self.write(writes).await
    }

    /// Deletes a group: its members are in it no more.
    ///
    /// # Errors
    ///
    /// There is none, or it holds a scope that the caller lacks.
    pub async fn delete_group(&self, name: &Name) -> Result<(), AccountError> {
        let writes = {
            let directory = self.node.accounts().directory();
            let group = group(&directory, name)?;
            may_change(&self.held, &group.scopes, &ScopeSet::EMPTY)?;
            let mut writes = vec![delete(&Place::Group(name.clone()))?];
            for user in directory.members_of(group.id) {
                writes.push(delete(&Place::Membership(group.id, user))?);
            }
            writes
        };
        self.write(writes).await
    }

    /// Puts a user into a group, or takes them out of it.
    ///
    /// # Errors
    ///
    /// One of both is not there, or the user holds or would hold a scope that the caller lacks.
    pub async fn set_member(
        &self,
        group_name: &Name,
        user_name: &Name,
        is_member: bool,
    ) -> Result<(), AccountError> {
        let write = {
            let directory = self.node.accounts().directory();
            let user = user(&directory, user_name, self.node.now())?;
            let group = group(&directory, group_name)?;
            let (group_id, user_id) = (group.id, user.id);
            // With the group in either case: who takes somebody out of it takes its scopes away.
            let most = directory.holds(user).union(&group.scopes);
            may_change(&self.held, &most, &most)?;
            if is_member {
                let record = Record::Membership(Membership { group: group_id, user: user_id });
                put(&record, Condition::Always, self.node.now())?
            } else if directory.members_of(group_id).any(|member| member == user_id) {
                delete(&Place::Membership(group_id, user_id))?
            } else {
                let (user, group) = (user_name.clone(), group_name.clone());
                return Err(AccountError::NotMember { user, group });
            }
        };
        self.write(vec![write]).await
    }

    /// Makes a token.
    ///
    /// # Errors
    ///
    /// There is no such user, the lifetime is none, or the caller lacks a scope that the token would
    /// have. For somebody else, they must hold all that the other one holds, and
    /// `admin:resources:update`: whoever has a token of somebody has their keys.
    pub async fn create_token(&self, wanted: NewToken) -> Result<Made, AccountError> {
        let held_by_all = held_by_all(self.node).await;
        let (made, write) = self.prepare_token(wanted, held_by_all)?;
        self.write(vec![write]).await?;
        Ok(made)
    }

    fn prepare_token(
        &self,
        wanted: NewToken,
        held_by_all: Stamp,
    ) -> Result<(Made, Write), AccountError> {
        let (accounts, now) = (self.node.accounts(), self.node.now());
        let site = accounts.site().ok_or(AccountError::NoKey)?;
        let directory = accounts.directory();
        let user = self.whose(&directory, wanted.user.as_ref(), now)?;
        let holds = directory.holds(user);
        if self.user != Some(user.id) {
            let impersonates = ScopeSet::from_iter([Scope::of(Right::UpdateResources)]);
            may_change(&self.held, &holds, &impersonates)?;
        }
        let scopes = wanted.scopes.unwrap_or_else(|| holds.intersection(&self.held));
        may_change(&self.held, &ScopeSet::EMPTY, &scopes)?;
        let (iat, exp) = Lifetimes::period(now, accounts.lifetimes.choose(wanted.ttl)?);
        let can_sign = |key: &SigningKey| site.has(key);
        let key = directory.signs(held_by_all, now, can_sign).ok_or(AccountError::NoKey)?;
        let record = Token {
            id: TokenId::new(Uuid::new_v4()),
            user: user.id,
            issued_by: self.user.unwrap_or(user.id),
            scopes: scopes.clone(),
            kid: key.kid.clone(),
            issued_at: iat,
            expires_at: exp,
        };
        let (iss, aud) = (ISSUER.to_owned(), site.cluster.to_string());
        let claims = Claims { iss, aud, sub: user.id, scopes, iat, exp, jti: record.id };
        let token = site.sign(key, &claims).ok_or(AccountError::NoKey)?;
        let write = put(&Record::Token(record.clone()), Condition::Absent, now)?;
        Ok((Made { token, record, user: user.name.clone() }, write))
    }

    fn whose<'d>(
        &self,
        directory: &'d Directory,
        named: Option<&Name>,
        now: UnixMillis,
    ) -> Result<&'d User, AccountError> {
        let own = || self.user.and_then(|id| directory.user_by_id(id, now));
        let found = match named {
            Some(name) => user(directory, name, now)?,
            None => own().ok_or(AccountError::Whose)?,
        };
        if found.disabled { Err(AccountError::Disabled(found.name.clone())) } else { Ok(found) }
    }

    /// Has a token refused from now on.
    ///
    /// # Errors
    ///
    /// There is none, or it permits what the caller lacks, and is not their own.
    pub async fn revoke_token(&self, id: TokenId) -> Result<(), AccountError> {
        let now = self.node.now();
        let writes = {
            let accounts = self.node.accounts();
            let directory = accounts.directory();
            let token = directory.token(id, now).ok_or(AccountError::NoToken(id))?;
            if self.user != Some(token.user) {
                let holds = directory.user_by_id(token.user, now).map(|user| directory.holds(user));
                let permits = token.scopes.intersection(&holds.unwrap_or(ScopeSet::EMPTY));
                may_change(&self.held, &permits, &ScopeSet::EMPTY)?;
            }
            let revocation = Revocation::token(id, token.expires_at, accounts.drift);
            vec![
                put(&Record::Revocation(revocation), Condition::Always, now)?,
                delete(&Place::Token(id))?,
            ]
        };
        self.write(writes).await
    }

    /// Makes a new signing key, which signs once every member holds it; with `revoke_old`, has all
    /// others refused from now on, and with them all tokens that there are.
    ///
    /// # Errors
    ///
    /// The caller does not hold everything.
    pub async fn rotate_key(&self, revoke_old: bool) -> Result<(KeyId, Vec<KeyId>), AccountError> {
        if !self.held.covers(&Scope::everything()) {
            return Err(Lacking(Scope::everything()).into());
        }
        let now = self.node.now();
        let (accounts, seed) = (self.node.accounts(), rand::random::<[u8; 32]>());
        let site = accounts.site().ok_or(AccountError::NoKey)?;
        let kid: KeyId =
            Uuid::new_v4().simple().to_string().parse().map_err(|_name| AccountError::NoKey)?;
        let key = site.seal(kid.clone(), &seed, now).ok_or(AccountError::NoKey)?;
        let mut writes = vec![put(&Record::SigningKey(key), Condition::Absent, now)?];
        let mut revoked = Vec::new();
        if revoke_old {
            let directory = accounts.directory();
            revoked.extend(directory.signing_keys(now).map(|(_, key)| key.kid.clone()));
            for old in &revoked {
                let revocation = Record::Revocation(Revocation::key(old.clone()));
                writes.push(put(&revocation, Condition::Always, now)?);
            }
        }
        self.write(writes).await?;
        Ok((kid, revoked))
    }

    async fn user_record(&self, name: &Name) -> Result<(VersionId, User), AccountError> {
        let unknown = || AccountError::Unknown { what: "user", name: name.to_string() };
        // A deleted user whose record somebody brought back is none.
        if !self.node.accounts().has_user(name, self.node.now()) {
            return Err(unknown());
        }
        match self.record(&Place::User(name.clone())).await? {
            Some((version, Record::User(user))) => Ok((version, user)),
            _ => Err(unknown()),
        }
    }

    async fn group_record(&self, name: &Name) -> Result<(VersionId, Group), AccountError> {
        match self.record(&Place::Group(name.clone())).await? {
            Some((version, Record::Group(group))) => Ok((version, group)),
            _ => Err(AccountError::Unknown { what: "group", name: name.to_string() }),
        }
    }

    async fn record(&self, place: &Place) -> Result<Option<(VersionId, Record)>, AccountError> {
        let key = place.key()?;
        let version = self.node.version(&RecordId::value(key.clone())).await?;
        let live = version.filter(|version| version.head().absence(self.node.now()).is_none());
        let Some(version) = live else { return Ok(None) };
        let Body::Value(value) = &version.body else { return Ok(None) };
        let Ok(body) = value.bytes() else { return Err(Refused::Damaged.into()) };
        Ok(Some((version.uuid, decode(&key, &body)?)))
    }

    /// Writes over exactly this version; says whether it was still there.
    async fn replace(&self, record: &Record, version: VersionId) -> Result<bool, AccountError> {
        let write = put(record, Condition::Is(vec![version]), self.node.now())?;
        match self.write(vec![write]).await {
            Ok(()) => Ok(true),
            Err(AccountError::Contended) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), AccountError> {
        write(self.node, self.subject, writes).await
    }
}

/// Has records written for somebody, each on its own.
pub(super) async fn write(
    node: &Node,
    subject: Subject,
    writes: Vec<Write>,
) -> Result<(), AccountError> {
    for result in node.write_for(subject, writes).await? {
        match result {
            // What is to be gone is gone.
            Ok(_) | Err(Refused::Rejected(Rejection::Absent(_))) => {}
            Err(Refused::Rejected(_)) => return Err(AccountError::Contended),
            Err(refused @ Refused::Damaged) => return Err(refused.into()),
        }
    }
    Ok(())
}

/// A record to be written.
pub(super) fn put(
    record: &Record,
    condition: Condition,
    now: UnixMillis,
) -> Result<Write, AccountError> {
    let (key, body) = encode(record)?;
    let body = Body::Value(Value::plain(ContentType::JSON, body.into()));
    let left = |at: UnixMillis| Duration::from_millis(at.0.saturating_sub(now.0));
    let expiry = record.expires_at().map_or(Expiry::Never, |at| Expiry::After(left(at)));
    let uuid = VersionId::new(Uuid::new_v4());
    let command = Command::Put { body, expiry, condition, uuid, author: None };
    Ok(Write { record: RecordId::value(key), command })
}

pub(super) fn delete(place: &Place) -> Result<Write, AccountError> {
    let command = Command::delete(VersionId::new(Uuid::new_v4()));
    Ok(Write { record: RecordId::value(place.key()?), command })
}

fn user<'d>(
    directory: &'d Directory,
    name: &Name,
    now: UnixMillis,
) -> Result<&'d User, AccountError> {
    let unknown = || AccountError::Unknown { what: "user", name: name.to_string() };
    directory.user(name, now).ok_or_else(unknown)
}

fn group<'d>(directory: &'d Directory, name: &Name) -> Result<&'d Group, AccountError> {
    let unknown = || AccountError::Unknown { what: "group", name: name.to_string() };
    directory.group(name).ok_or_else(unknown)
}

/// Up to where every member that counts is known to hold what this node does. The first key comes
/// with the cluster file, so all hold that.
async fn held_by_all(node: &Node) -> Stamp {
    let first = Stamp::MIN.next();
    let Some(cluster) = node.cluster() else { return Stamp::from_bits(u64::MAX) };
    let Some(view) = cluster.engine.view().await else { return first };
    let me = node.identity().node;
    let agreed = |id| view.peers.iter().find(|peer| peer.node == id).and_then(|peer| peer.agreed);
    let others = view.members.joined().filter(|member| member.node != me);
    let least = others.map(|member| agreed(member.node).unwrap_or(first)).min();
    least.map_or(Stamp::from_bits(u64::MAX), |least| least.max(first))
}
