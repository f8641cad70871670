//! Why something may or may not be done, in words.

use std::fmt;

use crate::id::{GroupId, UserId};
use crate::key::Key;
use crate::mode::{Class, Mode, Permission};
use crate::scope::Right;
use crate::stamp::UnixMillis;

/// The record whose metadata governs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// None: the default mode.
    Default,
    /// The metadata of this key or prefix.
    Of(Key),
}

/// The rule that decided, with what it looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// No action was asked for.
    NothingAsked,
    /// One of the system's own records.
    System,
    /// `auth_enabled: false`.
    AuthOff,
    /// The token ended then.
    Expired(UnixMillis),
    /// Nobody without a name may do this.
    NeverAnonymous(&'static str),
    /// Nobody without a name may do this as long as this switch is off.
    AnonymousOff(&'static str),
    /// The caller does not hold this scope on that key.
    LacksScope(Right),
    /// Metadata is its owner's to change.
    NotOwner(UserId),
    /// Metadata there would govern keys of other owners.
    AboveOthers,
    /// The caller is not a member of the group that the key is to have.
    ForeignGroup(GroupId),
    /// This scope passes over bits.
    OverBits(Right),
    /// Neither owner nor metadata: there is no bit.
    NoBits,
    /// A bit, set or not.
    Bit {
        /// The class that the caller belongs to.
        class: Class,
        /// What its bit is for.
        permission: Permission,
        /// The mode that the bit is in.
        mode: Mode,
        /// The record that the mode is in.
        record: Record,
    },
}

impl Because {
    /// The rule's name, the same in every release.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::NothingAsked => "nothing-asked",
            Self::System => "system",
            Self::AuthOff => "auth-off",
            Self::Expired(_) => "expired",
            Self::NeverAnonymous(_) => "never-anonymous",
            Self::AnonymousOff(_) => "anonymous-off",
            Self::LacksScope(_) => "scope",
            Self::NotOwner(_) => "not-owner",
            Self::AboveOthers => "above-others",
            Self::ForeignGroup(_) => "foreign-group",
            Self::OverBits(_) => "over-bits",
            Self::NoBits => "no-bits",
            Self::Bit { .. } => "bit",
        }
    }

    /// The scope with which a denied caller would get further.
    pub const fn missing_scope(&self) -> Option<Right> {
        match self {
            Self::LacksScope(right) => Some(*right),
            Self::NotOwner(_) | Self::AboveOthers | Self::ForeignGroup(_) => {
                Some(Right::UpdateResources)
            }
            _ => None,
        }
    }

    /// Whether credentials, or better ones, might help: the caller is unknown or unknown by now.
    pub const fn asks_for_credentials(&self) -> bool {
        matches!(self, Self::Expired(_) | Self::NeverAnonymous(_) | Self::AnonymousOff(_))
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingAsked => write!(f, "nothing was asked for"),
            Self::System => write!(f, "keys under _system are the system's own records"),
            Self::AuthOff => write!(f, "auth_enabled is false: keys are open to everybody"),
            Self::Expired(at) => write!(f, "the token expired at {at}"),
            Self::NeverAnonymous(action) => write!(f, "{action} is never anonymous"),
            Self::AnonymousOff(switch) => write!(f, "{switch} is false"),
            Self::LacksScope(right) => write!(f, "the scope {right} on this key is missing"),
            Self::NotOwner(owner) => write!(
                f,
                "only its owner, user {owner}, or admin:resources:update changes its metadata"
            ),
            Self::AboveOthers => write!(
                f,
                "keys of other owners lie below; setting metadata there takes \
                 admin:resources:update"
            ),
            Self::ForeignGroup(group) => write!(
                f,
                "the caller is not in group {group}; giving a key to it takes \
                 admin:resources:update"
            ),
            Self::OverBits(right) => write!(f, "the scope {right} passes over bits"),
            Self::NoBits => write!(f, "the key has neither owner nor metadata, so no bits"),
            Self::Bit { class, permission, mode, record } => {
                let verb = if mode.allows(*class, *permission) { "lets" } else { "does not let" };
                let (class, permission) = (class_name(*class), permission_name(*permission));
                write!(f, "mode {mode} of {record} {verb} {class} {permission}")
            }
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "the default"),
            Self::Of(key) => write!(f, "{key}"),
        }
    }
}

impl fmt::Display for super::Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_allowed() { "allowed" } else { "denied" };
        write!(f, "{word}: {}", self.because())
    }
}

const fn class_name(class: Class) -> &'static str {
    match class {
        Class::Owner => "the owner",
        Class::Group => "the group",
        Class::Others => "others",
    }
}

const fn permission_name(permission: Permission) -> &'static str {
    match permission {
        Permission::Create => "create",
        Permission::Delete => "delete",
        Permission::Write => "write",
        Permission::Read => "read",
    }
}
