//! Power loss at random instants: what was not synced is gone, and nothing acknowledged with it.

use std::time::Duration;

use crate::process::{Home, SMALL_FILES};
use crate::seed;
use crate::simulated_power::Power;
use crate::trial::Trial;

/// The flush begins at half of it; a disk that others use, too, has the other half for it.
const FLUSH_INTERVAL: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_by_power_loss() {
    let home = Home::new(SMALL_FILES);
    let Some(power) = Power::of(&home) else { return };
    let trial = Trial::new(home, Some(power), Duration::ZERO);
    trial.run(seed::rounds(6)).await.tell("sync");
}

/// A write's age is the time from when its client had the answer to just before the kill, by the
/// monotonic clock: a little less than what the node itself would say, which acknowledged it sooner
/// and lived a moment longer. Longer ago than the interval by our measure is so by the node's, too.
#[tokio::test(flavor = "multi_thread")]
async fn async_loses_nothing_older_than_flush_interval() {
    let interval = FLUSH_INTERVAL.as_millis();
    // Without small files: what RocksDB syncs when it begins a new log is not to help.
    let home = Home::new(&format!("durability: async\nflush_interval: {interval}ms\n"));
    let Some(power) = Power::of(&home) else { return };
    let trial = Trial::new(home, Some(power), FLUSH_INTERVAL);
    trial.run(seed::rounds(6)).await.tell("async");
}
