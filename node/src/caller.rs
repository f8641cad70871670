//! Who asks. A parameter of everything that reads or writes for somebody.

use kvs_core::audit::Subject;
use kvs_core::{Key, UserId};

/// Who makes a request, and what they may do.
///
/// This build knows no accounts: everybody is the anonymous caller, who may do everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    user: Option<UserId>,
}

impl Caller {
    /// The caller without a name.
    pub const fn anonymous() -> Self {
        Self { user: None }
    }

    /// The user who asks, and will own the keys that they write first.
    pub const fn user(&self) -> Option<UserId> {
        self.user
    }

    /// Who they are to the tamper-evident log.
    pub fn subject(&self) -> Subject {
        self.user.map_or(Subject::Anonymous, Subject::User)
    }

    /// Whether the caller may know of `key`. What may not be read looks as if never written.
    pub fn may_read(&self, key: &Key) -> bool {
        // The system's own records are served by routes of their own.
        !key.is_system()
    }
}
