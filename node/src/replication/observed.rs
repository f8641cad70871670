//! What is seen of replication beside the engine: for people, and for a node that stops.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kvs_client::Repair;
use kvs_core::engine::{AskId, Now, Report};
use kvs_core::wire::{Frame, Question};
use kvs_core::{NodeId, UnixMillis};
use tokio::sync::watch;

/// What is seen of the other nodes.
#[derive(Debug, Default)]
pub struct Observed {
    peers: Mutex<BTreeMap<NodeId, ObservedPeer>>,
    talk: Mutex<Talk>,
    /// Who follows the own log, and up to where each was sent it.
    followers: watch::Sender<BTreeMap<u64, (NodeId, u64)>>,
    next_follower: AtomicU64,
}

/// What is seen of another node.
#[derive(Clone, Copy, Debug, Default)]
pub struct ObservedPeer {
    /// When this node last had everything that it knew of in its log, in running time.
    pub complete_at: Option<Duration>,
    /// When the last comparison that this node began and completed began.
    pub compared: Option<UnixMillis>,
    /// The last comparison that found differences.
    pub last_repair: Option<Repair>,
}

/// The comparison that this node began last.
#[derive(Debug, Default)]
struct Talk {
    began: UnixMillis,
    /// The question that ends it.
    last: Option<(AskId, NodeId)>,
}

/// A stream of the own log to another node, for as long as it lasts.
#[derive(Debug)]
pub struct Follower {
    observed: Arc<Observed>,
    number: u64,
    node: NodeId,
}

impl Observed {
    /// What is seen of a node.
    pub fn peer(&self, node: NodeId) -> ObservedPeer {
        self.peers().get(&node).copied().unwrap_or_default()
    }

    /// A piece of a node's log came.
    pub fn frame(&self, node: NodeId, frame: &Frame, now: Now) {
        if frame.position >= frame.head {
            self.peers().entry(node).or_default().complete_at = Some(now.running);
        }
    }

    /// A node is asked something.
    pub fn asks(&self, ask: AskId, node: NodeId, question: &Question, now: Now) {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        match question {
            Question::Begin(_) => *talk = Talk { began: now.wall, last: None },
            Question::Agree(..) => talk.last = Some((ask, node)),
            _ => {}
        }
    }

    /// A question was answered, and not refused.
    pub fn answered(&self, ask: AskId) {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, node)) = talk.last.take_if(|(last, _)| *last == ask) {
            self.peers().entry(node).or_default().compared = Some(talk.began);
        }
    }

    /// The engine reports something.
    pub fn report(&self, report: &Report, now: Now) {
        let Report::Repaired { peer, counts } = report else { return };
        self.peers().entry(*peer).or_default().last_repair = Some(Repair {
            at: now.wall.0,
            differing: counts.differing,
            pushed: counts.pushed,
            fetched: counts.fetched,
        });
    }

    /// A node begins to follow the own log.
    pub fn follower(self: &Arc<Self>, node: NodeId) -> Follower {
        let number = self.next_follower.fetch_add(1, Ordering::Relaxed);
        Follower { observed: self.clone(), number, node }
    }

    /// Waits until some node was sent everything up to `position`, and says which.
    pub async fn sent(&self, position: u64) -> Option<NodeId> {
        let far = |(_, reached): &&(NodeId, u64)| *reached >= position;
        let mut followers = self.followers.subscribe();
        let found = followers.wait_for(|all| all.values().any(|one| far(&one))).await.ok()?;
        found.values().find(far).map(|(node, _)| *node)
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<NodeId, ObservedPeer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    /// Everything up to `position` is on its way.
    pub fn sent(&self, position: u64) {
        let (number, node) = (self.number, self.node);
        self.observed.followers.send_modify(|all| {
            all.insert(number, (node, position));
        });
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.observed.followers.send_modify(|all| {
            all.remove(&self.number);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_follower_that_was_sent_all_is_found_and_one_that_went_is_not() {
        let observed = Arc::new(Observed::default());
        let [first, second] = [1, 2].map(|id| NodeId::from_bytes([id; 16]));
        let gone = observed.follower(first);
        gone.sent(9);
        drop(gone);
        let stays = observed.follower(second);
        stays.sent(6);
        assert_eq!(observed.sent(6).await, Some(second));
        let waits = tokio::time::timeout(Duration::ZERO, observed.sent(7)).await;
        assert!(waits.is_err());
    }
}
