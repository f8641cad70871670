//! Whose a user is, as it is written down.

use std::fmt;
use std::str::FromStr;

use kvs_core::UnixMillis;
use uuid::Uuid;

/// What the annotation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// One that is made from then on.
    Since(UnixMillis),
    /// This one.
    Is(Uuid),
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Since(at) => write!(f, "since-{}", at.0),
            Self::Is(id) => id.fmt(f),
        }
    }
}

impl FromStr for Mark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let since = text.strip_prefix("since-").and_then(|at| at.parse().ok());
        let is = || text.parse().ok().map(Self::Is);
        since.map(|at| Self::Since(UnixMillis(at))).or_else(is).ok_or(())
    }
}
