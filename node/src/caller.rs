//! Who asks. A parameter of everything that reads or writes for somebody.

use std::sync::Arc;

use kvs_core::access::{self, Action, Because, Decision, Resource, Switches};
use kvs_core::account::{KeyId, Name, Rights};
use kvs_core::audit::Subject;
use kvs_core::token::{Claims, UnixSeconds};
use kvs_core::{Right, ScopeSet, TokenId, UnixMillis, UserId};
use uuid::Uuid;

use crate::accounts::Outside;

/// Somebody who showed a token that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// What people call them.
    pub name: Name,
    /// What they may do, before modes.
    pub rights: Rights,
    /// The key that signed the token; of a token that is not our own, none.
    pub kid: KeyId,
    /// What the token says, or would say if it were our own.
    pub claims: Claims,
    /// Whether it permits anything that is for administrators.
    pub administers: bool,
    /// For whom somebody outside vouches, where it is no token of our own.
    pub outside: Option<Arc<Outside>>,
}

impl Bearer {
    /// Somebody whose token says this, and who has these rights by it.
    pub fn new(name: Name, rights: Rights, kid: KeyId, claims: Claims) -> Self {
        let administers = rights.scopes.administers();
        Self { name, rights, kid, claims, administers, outside: None }
    }

    /// Somebody as if they showed a token without limits: to explain what they may do.
    pub fn supposed(name: Name, rights: Rights, now: UnixMillis) -> Self {
        let until = UnixSeconds(UnixSeconds::of(now).0 + 1);
        let claims = Claims {
            iss: String::new(),
            aud: String::new(),
            sub: rights.user,
            scopes: rights.scopes.clone(),
            iat: UnixSeconds::of(now),
            exp: until,
            jti: TokenId::new(Uuid::nil()),
        };
        Self::new(name, rights, KeyId::none(), claims)
    }
}

/// Who makes a request, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    who: Who,
    switches: Switches,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    /// Somebody, on a node that asks nobody who they are.
    Anybody,
    /// Whoever owns the data on disk, by the node's socket, or the node itself.
    Owner,
    /// Somebody without credentials.
    Anonymous,
    /// Somebody with a token.
    Bearer(Arc<Bearer>),
}

/// Nobody is asked anything.
const OPEN: Switches = Switches { auth: false, anonymous_read: true, anonymous_write: true };

impl Caller {
    /// Whoever calls a node without authentication: they may do everything with keys.
    pub const fn anybody() -> Self {
        Self { who: Who::Anybody, switches: OPEN }
    }

    /// Whoever owns the data on disk: no scope and no bit is asked of them.
    pub const fn owner() -> Self {
        Self { who: Who::Owner, switches: OPEN }
    }

    /// Somebody without credentials.
    pub const fn anonymous(switches: Switches) -> Self {
        Self { who: Who::Anonymous, switches }
    }

    /// Somebody with a token.
    pub const fn bearer(bearer: Arc<Bearer>, switches: Switches) -> Self {
        Self { who: Who::Bearer(bearer), switches }
    }

    /// The user who asks, and will own the keys that they write first.
    pub fn user(&self) -> Option<UserId> {
        self.token().map(|bearer| bearer.rights.user)
    }

    /// Who they are to the tamper-evident log.
    pub fn subject(&self) -> Subject {
        match &self.who {
            Who::Anybody | Who::Anonymous => Subject::Anonymous,
            Who::Owner => Subject::Socket,
            Who::Bearer(bearer) => Subject::User(bearer.rights.user),
        }
    }

    /// Who asks, if they showed a token.
    pub fn token(&self) -> Option<&Arc<Bearer>> {
        match &self.who {
            Who::Bearer(bearer) => Some(bearer),
            Who::Anybody | Who::Owner | Who::Anonymous => None,
        }
    }

    /// The same caller with this token's rights as they are by now.
    #[must_use]
    pub fn renewed(&self, bearer: Bearer) -> Self {
        Self { who: Who::Bearer(Arc::new(bearer)), switches: self.switches }
    }

    /// Whether neither scopes nor bits are asked of them.
    pub const fn is_unlimited(&self) -> bool {
        !self.switches.auth
    }

    /// Whether they are the owner of the data.
    pub const fn is_owner(&self) -> bool {
        matches!(self.who, Who::Owner)
    }

    /// Whether nobody knows who they are, where one could say.
    pub const fn is_anonymous(&self) -> bool {
        matches!(self.who, Who::Anonymous)
    }

    /// Whether they hold a right that is about no key.
    pub fn permits(&self, right: Right) -> bool {
        match &self.who {
            Who::Owner => true,
            Who::Bearer(bearer) => bearer.rights.scopes.permits(right),
            Who::Anybody | Who::Anonymous => false,
        }
    }

    /// Everything they hold.
    pub fn scopes(&self) -> ScopeSet {
        match &self.who {
            Who::Owner => ScopeSet::everything(),
            Who::Bearer(bearer) => bearer.rights.scopes.clone(),
            Who::Anybody | Who::Anonymous => ScopeSet::EMPTY,
        }
    }

    /// Why they may do nothing of this kind with any key, if so: what lists ask before they ask for
    /// each key.
    pub fn denied_everywhere(&self, right: Right) -> Option<Because> {
        match &self.who {
            Who::Anybody | Who::Owner => None,
            Who::Bearer(bearer) => (!bearer.rights.scopes.permits_somewhere(right))
                .then_some(Because::LacksScope(right)),
            Who::Anonymous => self.switched_off(right),
        }
    }

    fn switched_off(&self, right: Right) -> Option<Because> {
        match right {
            Right::Read => (!self.switches.anonymous_read)
                .then_some(Because::AnonymousOff("allow_anonymous_read")),
            Right::Write => (!self.switches.anonymous_write)
                .then_some(Because::AnonymousOff("allow_anonymous_write")),
            other => Some(Because::NeverAnonymous(other.name())),
        }
    }

    /// Whether they may do `action`.
    pub fn decide(&self, action: Action, resource: &Resource<'_>, now: UnixMillis) -> Decision {
        self.decide_all(&[action], resource, now)
    }

    /// Whether they may do all of `actions`.
    pub fn decide_all(
        &self,
        actions: &[Action],
        resource: &Resource<'_>,
        now: UnixMillis,
    ) -> Decision {
        let caller = match &self.who {
            Who::Anybody | Who::Owner | Who::Anonymous => access::Caller::Anonymous,
            Who::Bearer(bearer) => access::Caller::User {
                id: bearer.rights.user,
                groups: &bearer.rights.groups,
                scopes: &bearer.rights.scopes,
                expires_at: bearer.claims.exp.millis(),
            },
        };
        access::decide_all(self.switches, &caller, actions, resource, now)
    }
}
