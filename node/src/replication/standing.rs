//! What everybody in the node may know of replication without asking its thread.

use std::time::Duration;

use kvs_core::UnixMillis;
use kvs_core::digest::DigestKey;
use kvs_core::engine::{ClockAhead, Gate, Life, Now, Watch};

/// Replication after its last step.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Where the node is in its life.
    pub life: Life,
    /// What peers must pass.
    pub gate: Gate,
    /// The watch on the own clock.
    pub watch: Watch,
    /// The secret of the digest tree.
    pub digest_key: DigestKey,
}

impl Standing {
    /// Whether the own clock may be stamped by.
    ///
    /// # Errors
    ///
    /// It is ahead of its peers'.
    pub fn check_clock(&self, wall: UnixMillis, running: Duration) -> Result<(), ClockAhead> {
        self.watch.check(Now { wall, running })
    }
}
