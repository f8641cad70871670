//! Who may do what with a key: one pure function, and the reason for what it says.
//!
//! A caller needs the scope **and** the bit. The rules, in the order in which they are asked:
//!
//! 1. The system's own records are nobody's through key routes.
//! 2. With `auth_enabled: false`, everybody may do everything with keys.
//! 3. A caller whose token has expired may do nothing.
//! 4. The anonymous caller may read where `allow_anonymous_read`, write and create where
//!    `allow_anonymous_write`, and never delete, shorten a life, or change metadata.
//! 5. Everybody else needs the scope, on that key.
//! 6. Owners are changed with `admin:resources:update` alone. So is metadata by anybody but the
//!    owner, metadata above keys of other owners, and a group that is not one's own: who may write a
//!    key could otherwise permit themself the rest.
//! 7. A key without owner and without governing metadata has no bits to check.
//! 8. `admin:resources:read` passes over the read bit, `admin:resources:update` over the others.
//! 9. The first class that the caller belongs to decides: owner, group, others.
//!
//! Which metadata governs: the key's own, else that of the nearest ancestor that has some, else
//! the default mode. `create` is asked of the nearest ancestor that has some, as if it were asked
//! for that ancestor.

mod because;
mod resource;

#[cfg(test)]
mod tests;

use crate::id::{GroupId, UserId};
use crate::mode::{Class, Mode, Permission};
use crate::scope::{Right, ScopeSet};
use crate::stamp::UnixMillis;

pub use self::because::{Because, Record};
pub use self::resource::{Governing, Resource};

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// Somebody who showed no credentials. Whoever shows bad ones is not a caller at all.
    Anonymous,
    /// A user.
    User {
        /// Which.
        id: UserId,
        /// Their groups.
        groups: &'a [GroupId],
        /// What the token permits of what the user and their groups may do.
        scopes: &'a ScopeSet,
        /// When the token ends, and with it whatever goes on for longer than a request.
        expires_at: UnixMillis,
    },
}

/// What somebody wants to do with one key. A request may be several: a `PATCH` is [`Self::Read`] and
/// [`Self::Write`], a write that sets a shorter life [`Self::Write`] and [`Self::Shorten`], a
/// restore [`Self::Write`] or [`Self::Create`] and [`Self::Restore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See the value, its metadata, its history or an older revision.
    Read,
    /// Write a key that is absent.
    Create,
    /// Write a key that is there.
    Write,
    /// Delete a key.
    Delete,
    /// Set or shorten the life of a key that is there.
    Shorten,
    /// Make a former revision the current one, which shows it to whoever may read the key then.
    Restore,
    /// Set mode, group or default life of a key or prefix.
    ChangeMetadata {
        /// The group that it is to have, if that changes.
        group: Option<GroupId>,
        /// Whether a key below, whose metadata this would be, belongs to somebody else.
        above_others: bool,
    },
    /// Set the owner of a key or prefix.
    ChangeOwner,
}

/// The configuration's switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// `auth_enabled`.
    pub auth: bool,
    /// `allow_anonymous_read`.
    pub anonymous_read: bool,
    /// `allow_anonymous_write`.
    pub anonymous_write: bool,
}

/// Whether, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// It may be done.
    Allowed(Because),
    /// It may not be done.
    Denied(Because),
}

impl Decision {
    /// Whether it may be done.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// The rule that decided.
    pub const fn because(&self) -> &Because {
        match self {
            Self::Allowed(because) | Self::Denied(because) => because,
        }
    }
}

impl Action {
    /// The scope that the action needs.
    pub const fn right(self) -> Right {
        match self {
            Self::Read => Right::Read,
            Self::Delete | Self::Shorten => Right::Delete,
            Self::Create
            | Self::Write
            | Self::Restore
            | Self::ChangeMetadata { .. }
            | Self::ChangeOwner => Right::Write,
        }
    }

    /// The bit that the action needs. Changing an owner needs none, since what it needs passes over
    /// all of them.
    pub const fn permission(self) -> Option<Permission> {
        match self {
            Self::Read | Self::Restore => Some(Permission::Read),
            Self::Create => Some(Permission::Create),
            Self::Write | Self::ChangeMetadata { .. } => Some(Permission::Write),
            Self::Delete | Self::Shorten => Some(Permission::Delete),
            Self::ChangeOwner => None,
        }
    }

    /// The action as `explain` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Shorten => "shorten",
            Self::Restore => "restore",
            Self::ChangeMetadata { .. } => "metadata",
            Self::ChangeOwner => "owner",
        }
    }
}

/// Decides whether `caller` may do all of `actions`: the first that is denied, else the last reason.
pub fn decide_all(
    switches: Switches,
    caller: &Caller<'_>,
    actions: &[Action],
    resource: &Resource<'_>,
    now: UnixMillis,
) -> Decision {
    let mut last = Decision::Allowed(Because::NothingAsked);
    for action in actions {
        last = decide(switches, caller, *action, resource, now);
        if !last.is_allowed() {
            break;
        }
    }
    last
}

/// Decides whether `caller` may do `action` at `now`.
pub fn decide(
    switches: Switches,
    caller: &Caller<'_>,
    action: Action,
    resource: &Resource<'_>,
    now: UnixMillis,
) -> Decision {
    if resource.key.is_system() {
        return Decision::Denied(Because::System);
    }
    if !switches.auth {
        return Decision::Allowed(Because::AuthOff);
    }
    let denied = match caller {
        Caller::Anonymous => anonymous(switches, action),
        Caller::User { expires_at, .. } if *expires_at <= now => {
            Some(Because::Expired(*expires_at))
        }
        Caller::User { scopes, .. } => lacking(scopes, action.right(), resource),
    };
    match denied.or_else(|| stricter(caller, action, resource)) {
        Some(because) => Decision::Denied(because),
        None => bits(caller, action, resource),
    }
}

/// What no switch lets the anonymous caller do, or no switch that is on.
fn anonymous(switches: Switches, action: Action) -> Option<Because> {
    let (switch, on) = match action {
        Action::Read => ("allow_anonymous_read", switches.anonymous_read),
        Action::Create | Action::Write | Action::Restore => {
            ("allow_anonymous_write", switches.anonymous_write)
        }
        _ => return Some(Because::NeverAnonymous(action.name())),
    };
    (!on).then_some(Because::AnonymousOff(switch))
}

fn lacking(scopes: &ScopeSet, right: Right, resource: &Resource<'_>) -> Option<Because> {
    (!scopes.permits_on(right, resource.key)).then_some(Because::LacksScope(right))
}

/// What needs more than a bit: changes of who may do what.
fn stricter(caller: &Caller<'_>, action: Action, resource: &Resource<'_>) -> Option<Because> {
    let Caller::User { id, groups, scopes, .. } = caller else { return None };
    if scopes.permits_on(Right::UpdateResources, resource.key) {
        return None;
    }
    match action {
        Action::ChangeOwner => Some(Because::LacksScope(Right::UpdateResources)),
        Action::ChangeMetadata { above_others: true, .. } => Some(Because::AboveOthers),
        Action::ChangeMetadata { group: Some(group), .. } if !groups.contains(&group) => {
            Some(Because::ForeignGroup(group))
        }
        Action::ChangeMetadata { .. } => match resource.owner() {
            Some(owner) if owner != *id => Some(Because::NotOwner(owner)),
            _ => None,
        },
        _ => None,
    }
}

fn bits(caller: &Caller<'_>, action: Action, resource: &Resource<'_>) -> Decision {
    let Some(mut permission) = action.permission() else {
        return Decision::Allowed(Because::OverBits(Right::UpdateResources));
    };
    // Metadata of something that is not there yet makes it, as far as others are concerned.
    if matches!(action, Action::ChangeMetadata { .. }) && !resource.is_there() {
        permission = Permission::Create;
    }
    if let Some(right) = passes_over(caller, permission, resource) {
        return Decision::Allowed(Because::OverBits(right));
    }
    let today = bit(caller, permission, &resource.governed(permission));
    match (permission, resource.former_owner) {
        (Permission::Read, Some(owner)) if today.is_allowed() => {
            bit(caller, permission, &resource.governed_under(owner))
        }
        _ => today,
    }
}

/// The right by which the caller needs no bit, if they hold it.
fn passes_over(
    caller: &Caller<'_>,
    permission: Permission,
    resource: &Resource<'_>,
) -> Option<Right> {
    let Caller::User { scopes, .. } = caller else { return None };
    let right = match permission {
        Permission::Read => Right::ReadResources,
        Permission::Create | Permission::Delete | Permission::Write => Right::UpdateResources,
    };
    scopes.permits_on(right, resource.key).then_some(right)
}

/// What a bit is looked up in.
struct Governed {
    record: Record,
    owner: Option<UserId>,
    group: Option<GroupId>,
    mode: Mode,
}

fn bit(caller: &Caller<'_>, permission: Permission, governed: &Governed) -> Decision {
    if governed.owner.is_none() && governed.record == Record::Default {
        return Decision::Allowed(Because::NoBits);
    }
    let class = class(caller, governed);
    let (mode, record) = (governed.mode, governed.record.clone());
    let because = Because::Bit { class, permission, mode, record };
    if mode.allows(class, permission) {
        Decision::Allowed(because)
    } else {
        Decision::Denied(because)
    }
}

fn class(caller: &Caller<'_>, governed: &Governed) -> Class {
    let Caller::User { id, groups, .. } = caller else { return Class::Others };
    if governed.owner == Some(*id) {
        Class::Owner
    } else if governed.group.is_some_and(|group| groups.contains(&group)) {
        Class::Group
    } else {
        Class::Others
    }
}
