//! Users, groups, tokens and signing keys, and who may do what.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Who owns keys: new for every user, also of a name that was used before.
    pub id: Uuid,
    /// What people call them.
    pub name: String,
    /// Their own scopes.
    pub scopes: Vec<String>,
    /// The names of their groups.
    pub groups: Vec<String>,
    /// Whether all their tokens are refused for now.
    pub disabled: bool,
    /// When they were made, in Unix milliseconds.
    pub created: u64,
}

/// The body of `POST /api/users` and `POST /api/groups`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// 1 to 128 ASCII letters, digits and `. - _ @ : +`; the first is a letter or digit.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._@:+-]{0,127}$"))]
    pub name: String,
    /// What they may ask for, such as `read` or `write:home/room`.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// The body of `PATCH /api/users/{name}`: what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// Their own scopes, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Whether all their tokens are refused for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// A group of users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Group {
    /// What keys name: new for every group, also of a name that was used before.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What its members may ask for.
    pub scopes: Vec<String>,
    /// When it was made, in Unix milliseconds.
    pub created: u64,
}

/// The body of `PATCH /api/groups/{name}`: what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupPatch {
    /// What its members may ask for, all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

/// A user in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupMember {
    /// Their id.
    pub id: Uuid,
    /// Their name.
    pub name: String,
}

/// The body of `POST /api/tokens`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Whose token; the caller's own if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What it permits of what its user may do; if left out, all of it that the caller may do too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// How long it lives, such as `90m`; if left out, as the node is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(pattern = "^[1-9][0-9]{0,3}(s|m|h|d)$"))]
    pub ttl: Option<String>,
}

/// A token that was made. It is shown this once and kept nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedToken {
    /// The token: what goes behind `Authorization: Bearer`.
    pub token: String,
    /// What is known of it.
    #[serde(flatten)]
    pub about: Token,
}

impl std::fmt::Debug for CreatedToken {
    /// Does not show the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedToken").field("about", &self.about).finish_non_exhaustive()
    }
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Token {
    /// Which token: what revokes it.
    pub id: Uuid,
    /// Whose, by name; nothing once the user is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whose, by id.
    pub user_id: Uuid,
    /// What it permits of what its user may do.
    pub scopes: Vec<String>,
    /// The key that signed it.
    pub kid: String,
    /// When it was made, in Unix milliseconds.
    pub issued: u64,
    /// When it ends, in Unix milliseconds.
    pub expires: u64,
}

/// A key that tokens are signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenKey {
    /// What tokens call it.
    pub kid: String,
    /// When it was made, in Unix milliseconds; 0 for the one that came with the cluster file.
    pub created: u64,
}

/// The body of `POST /api/keys`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateKeys {
    /// Has all other keys refused from now on, and with them every token that there is.
    #[serde(default)]
    pub revoke_old: bool,
}

/// A signing key that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotatedKeys {
    /// The new key. It signs once every member of the cluster holds it.
    pub kid: String,
    /// Those that are refused from now on.
    pub revoked: Vec<String>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhoAmI {
    /// Their name; nothing for whoever asks by the node's own socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Their id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The names of their groups.
    pub groups: Vec<String>,
    /// What they may do with this token now, before modes.
    pub scopes: Vec<String>,
    /// The token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Uuid>,
    /// When it ends, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

/// Whether somebody may do something with a key, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// Whether they may.
    pub allowed: bool,
    /// The rule that decided, the same in every release.
    pub rule: String,
    /// What it looked at, in words.
    pub reason: String,
    /// The key.
    pub key: String,
    /// The action.
    pub action: String,
    /// Who, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The scope with which they would get further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_scope: Option<String>,
}
