//! What is to be written down.

use kvs_core::RecordId;
use kvs_core::audit::{Event, Outcome, Subject};

/// Something that happened and is not a write: a denial, an administrator's act, a failed login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub event: Event,
    /// Who did it.
    pub subject: Subject,
    /// To which record, if it was one. Only a hash of it is written.
    pub record: Option<RecordId>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Notice {
    /// Something that was done, and to no record.
    pub const fn done(event: Event, subject: Subject) -> Self {
        Self { event, subject, record: None, outcome: Outcome::Done }
    }

    /// Something that was refused.
    pub const fn refused(event: Event, subject: Subject, record: Option<RecordId>) -> Self {
        Self { event, subject, record, outcome: Outcome::Refused }
    }
}
