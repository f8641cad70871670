//! The single things that a scope can permit.

use std::fmt;

/// One thing that a route may ask for. The numbers are part of the audit log's format: none is
/// changed or given to another right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Right {
    /// See keys, their metadata, history and changes.
    Read = 1,
    /// Make and change keys and their metadata.
    Write = 2,
    /// Delete keys, or shorten their life.
    Delete = 3,
    /// Make users.
    CreateUsers = 10,
    /// See users, and why they may do what.
    ReadUsers = 11,
    /// Change users.
    UpdateUsers = 12,
    /// Delete users.
    DeleteUsers = 13,
    /// Make groups.
    CreateGroups = 20,
    /// See groups and their members.
    ReadGroups = 21,
    /// Change groups and their members.
    UpdateGroups = 22,
    /// Delete groups.
    DeleteGroups = 23,
    /// Make tokens.
    CreateTokens = 30,
    /// See what tokens there are, never the tokens themselves.
    ReadTokens = 31,
    /// Revoke tokens.
    RevokeTokens = 32,
    /// See keys that no bit lets the caller see.
    ReadResources = 40,
    /// Change keys, owners and metadata that no bit lets the caller change.
    UpdateResources = 41,
    /// See what the cluster is doing.
    ReadCluster = 50,
    /// Change what the cluster is doing.
    UpdateCluster = 51,
    /// Make backups.
    CreateBackups = 60,
    /// See what backups there are.
    ReadBackups = 61,
    /// Delete backups.
    DeleteBackups = 62,
    /// Download backups, which equals reading everything.
    DownloadBackups = 63,
    /// Read the audit log.
    ReadAudit = 70,
}

/// Every right with its name, in the order of documentation.
const NAMES: [(Right, &str); 23] = [
    (Right::Read, "read"),
    (Right::Write, "write"),
    (Right::Delete, "delete"),
    (Right::CreateUsers, "admin:users:create"),
    (Right::ReadUsers, "admin:users:read"),
    (Right::UpdateUsers, "admin:users:update"),
    (Right::DeleteUsers, "admin:users:delete"),
    (Right::CreateGroups, "admin:groups:create"),
    (Right::ReadGroups, "admin:groups:read"),
    (Right::UpdateGroups, "admin:groups:update"),
    (Right::DeleteGroups, "admin:groups:delete"),
    (Right::CreateTokens, "admin:tokens:create"),
    (Right::ReadTokens, "admin:tokens:read"),
    (Right::RevokeTokens, "admin:tokens:revoke"),
    (Right::ReadResources, "admin:resources:read"),
    (Right::UpdateResources, "admin:resources:update"),
    (Right::ReadCluster, "admin:cluster:read"),
    (Right::UpdateCluster, "admin:cluster:update"),
    (Right::CreateBackups, "admin:backups:create"),
    (Right::ReadBackups, "admin:backups:read"),
    (Right::DeleteBackups, "admin:backups:delete"),
    (Right::DownloadBackups, "admin:backups:download"),
    (Right::ReadAudit, "admin:audit:read"),
];

impl Right {
    /// Every right.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(right, _)| *right)
    }

    /// The right as scopes and problems spell it.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(right, _)| *right == self).map_or("", |(_, name)| name)
    }

    /// The right that `name` spells.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(right, _)| *right)
    }

    /// The right with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::all().find(|right| right.code() == code)
    }

    /// The right's number.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether the right is about keys, so that it can be limited to some of them.
    pub const fn is_limitable(self) -> bool {
        matches!(
            self,
            Self::Read | Self::Write | Self::Delete | Self::ReadResources | Self::UpdateResources
        )
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
