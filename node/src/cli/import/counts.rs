//! What became of the lines of an import.

use std::fmt;

use serde::Serialize;

/// How many lines went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Their keys were written.
    pub(super) written: u64,
    /// Their keys had that value already.
    pub(super) unchanged: u64,
    /// Their keys have expired since.
    pub(super) expired: u64,
    /// They could not be imported.
    pub(super) failed: u64,
}

impl Counts {
    pub(super) const fn total(&self) -> u64 {
        self.written + self.unchanged + self.expired + self.failed
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { written, unchanged, expired, failed } = self;
        write!(f, "{} keys: {written} written", self.total())?;
        for (count, what) in
            [(unchanged, "there already"), (expired, "expired since"), (failed, "failed")]
        {
            if *count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
