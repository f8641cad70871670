//! Steps about a user.

use std::fmt;

use super::Mark;

/// The one next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To hold the `KvsUser`, and to write down which user of that name is ours, or since when one is.
    Claim(Mark),
    /// To make the user.
    Make(Vec<String>),
    /// To give it these scopes.
    Scope(Vec<String>),
    /// To take it out of a group.
    Leave(String),
    /// To put a new token into the Secret.
    Issue,
    /// To put it into a group.
    Join(String),
    /// To delete the user, and with it all its tokens.
    Delete,
    /// To let the `KvsUser` go.
    Release,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(_) => f.write_str("write down whose the user is"),
            Self::Make(_) => f.write_str("make the user"),
            Self::Scope(scopes) => write!(f, "set its scopes to {}", scopes.join(", ")),
            Self::Leave(group) => write!(f, "take it out of group {group}"),
            Self::Issue => f.write_str("put a new token into the Secret"),
            Self::Join(group) => write!(f, "put it into group {group}"),
            Self::Delete => f.write_str("delete the user and its tokens"),
            Self::Release => f.write_str("let the KvsUser go"),
        }
    }
}
