//! `kill -9` at random instants: every acknowledged write is there, byte for byte, no deleted key is
//! back, followers of `_changes` miss nothing, and the digest tree follows from the rows.

use std::time::Duration;

use crate::process::{Home, SMALL_FILES};
use crate::seed;
use crate::trial::Trial;

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_by_kill_9() {
    let trial = Trial::new(Home::new(SMALL_FILES), None, Duration::ZERO);
    trial.run(seed::rounds(20)).await.tell("kill_9");
}
