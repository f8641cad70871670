//! Nodes of KVS that form a cluster on this machine, and what is to be seen of them.

use std::{io, time::Duration};

use tokio::time::{Instant, sleep};

use crate::target::{Endpoint, TargetError};

mod events;
mod node;
mod status;
mod traffic;
mod writers;

pub use events::Events;
pub use node::Node;
pub use status::Status;
pub use traffic::Traffic;
pub use writers::{Acknowledged, Writers, write_each};

/// How often a cluster is asked whether it has come to what is waited for.
const ASKED_EVERY: Duration = Duration::from_millis(20);

/// Why a cluster cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A node's folder, files or process could not be made.
    #[error("cannot start a node")]
    Start(#[from] io::Error),
    /// A node ended by itself.
    #[error("a node ended: {0}")]
    Ended(String),
    /// A node does not answer as it should.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// What should have happened did not.
    #[error("after {after:?} it is still not so that {what}; {seen}")]
    NotWithin {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        after: Duration,
        /// What there was instead.
        seen: String,
    },
    /// A task that wrote or watched ended early, which is a bug of its own.
    #[error("a task of the benchmark ended early")]
    Lost,
}

/// Waits until all these nodes serve, follow each other, have nothing more to send and hold the
/// same; says how long that took.
pub async fn wait_until_equal(nodes: &[&Node], within: Duration) -> Result<Duration, ClusterError> {
    let start = Instant::now();
    loop {
        let statuses = statuses(nodes).await;
        if statuses.as_ref().is_ok_and(|statuses| are_equal(statuses)) {
            return Ok(start.elapsed());
        }
        if start.elapsed() > within {
            let (what, seen) = ("all nodes hold the same", format!("{statuses:?}"));
            return Err(ClusterError::NotWithin { what, after: within, seen });
        }
        sleep(ASKED_EVERY).await;
    }
}

async fn statuses(nodes: &[&Node]) -> Result<Vec<Status>, TargetError> {
    let mut statuses = Vec::new();
    for node in nodes {
        statuses.push(node.status().await?);
    }
    Ok(statuses)
}

fn are_equal(statuses: &[Status]) -> bool {
    let root = statuses.first().and_then(|status| status.root.as_ref());
    let others = statuses.len().saturating_sub(1);
    root.is_some()
        && statuses.iter().all(|status| {
            status.serves() && status.root.as_ref() == root && status.followed() >= others
        })
}

/// The endpoints of nodes.
pub fn endpoints(nodes: &[&Node]) -> Vec<Endpoint> {
    nodes.iter().map(|node| node.endpoint()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(life: &str, root: Option<&str>, streams: &[&str]) -> Status {
        let peers: Vec<_> = streams
            .iter()
            .map(|stream| serde_json::json!({"reachable": true, "stream": stream}))
            .collect();
        let json = serde_json::json!({"life": life, "root": root, "records": 1, "peers": peers});
        serde_json::from_value(json).expect("it is a status")
    }

    #[test]
    fn nodes_are_equal_once_they_serve_follow_each_other_and_have_one_root() {
        let whole = || status("serving", Some("a"), &["open"]);
        assert!(are_equal(&[whole(), whole()]));
        assert!(!are_equal(&[whole(), status("serving", Some("b"), &["open"])]));
        assert!(!are_equal(&[whole(), status("filling", Some("a"), &["open"])]));
        assert!(!are_equal(&[whole(), status("serving", Some("a"), &["off"])]));
        assert!(!are_equal(&[whole(), whole(), whole()]));
        let unknown = || status("serving", None, &["open"]);
        assert!(!are_equal(&[unknown(), unknown()]));
    }
}
