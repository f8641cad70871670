//! What a node does by itself, slowly and for ever.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kvs_core::Stamp;
use tokio::time::MissedTickBehavior;

use super::Node;
use crate::writer::{ScrubPosition, Scrubbed, SubmitError};

/// How often a bit of the index is checked: 16 leaves and 64 rows, so that a million keys take half an
/// hour and the writer loses a three-hundredth of its time.
const SCRUB_EVERY: Duration = Duration::from_millis(100);
/// How often the dead are looked for.
const COLLECT_EVERY: Duration = Duration::from_secs(10);

/// Checks, slowly and for ever, that the index says what is stored: comparing nodes trust it.
pub(super) async fn scrub(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(SCRUB_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut at = ScrubPosition::default();
    while node.stopping.run_until_cancelled(ticks.tick()).await.is_some() {
        match node.writer.scrub(at.clone()).await {
            Ok((found, next)) => {
                if found != Scrubbed::default() {
                    let Scrubbed { rows, leaves } = found;
                    tracing::error!(rows, leaves, "the index was wrong, and is mended");
                }
                at = next;
            }
            Err(SubmitError::Stopping) => return,
            Err(error) => tracing::error!(%error, "the index cannot be checked"),
        }
    }
}

/// Lets a node that stands alone forget the dead, once it has remembered them for as long as it was
/// told to: what no other node can bring back needs no longer.
pub(super) async fn collect_the_dead(node: Arc<Node>) {
    let mut ticks = tokio::time::interval(COLLECT_EVERY);
    loop {
        tokio::select! {
            () = node.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let horizon = node.now().before(node.settings.tombstone_retention.into());
        let horizon = Stamp::at(horizon);
        // First: a reader whose position is behind must not be told that it missed nothing.
        node.horizon.fetch_max(horizon.bits(), Ordering::AcqRel);
        let collected = node.stopping.run_until_cancelled(node.writer.collect(horizon)).await;
        match collected.unwrap_or(Ok(0)) {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "dead records removed"),
            Err(error) => tracing::warn!(%error, "dead records were not removed"),
        }
    }
}
