//! What nodes keep of each other's logs, so that none can rewrite its own unseen.
//!
//! Each node asks each other one, again and again, for the head of its log and for the proof that it
//! goes on from the one that was seen before. The head is kept. A node that cannot prove it, or that
//! shows another key, has rewritten its log: that is said, and both heads are kept for ever. One that
//! shows nothing any more is said to be silent.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kvs_core::audit::{Event, Fork, Hash, Head, SignedHead, Subject, fork};
use kvs_core::membership::State;
use kvs_core::{NodeId, UnixMillis};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::upkeep::cluster_of;
use super::{Log, Notice, PublicKey, Unproven, is_signed};
use crate::membership::Membership;
use crate::node::Node;
use crate::replication::Links;

/// What is asked: the proof from the size that was seen last.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Question {
    /// The size; nothing if none was seen.
    pub since: Option<u64>,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The head that is on disk.
    pub head: SignedHead,
    /// The key that it is signed with.
    pub key: PublicKey,
    /// That the log goes on from the size that was asked about; nothing if it was larger then.
    pub proof: Option<Vec<Hash>>,
}

/// What is known of another node's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The key that it showed first.
    pub key: PublicKey,
    /// The last head that went on from the ones before.
    pub head: SignedHead,
    /// What proves that the log was rewritten, if it was.
    #[serde(default)]
    pub alarm: Option<Alarm>,
}

/// That a node rewrote its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// How that is known.
    pub why: Rewritten,
    /// The head that does not fit.
    pub head: SignedHead,
    /// The key that it is signed with.
    pub key: PublicKey,
    /// When it was met.
    pub at: UnixMillis,
}

/// How it is known that a node rewrote its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum Rewritten {
    /// Its heads are signed with another key.
    #[error("its heads are signed with another key than before")]
    Key,
    /// It is shorter.
    #[error("its log is shorter than it was")]
    Shorter,
    /// The same size has another root.
    #[error("its log has other entries than it had")]
    Entries,
    /// There is no proof that it goes on from what was seen.
    #[error("it cannot prove that its log goes on from what it was")]
    NoProof,
}

/// Why an answer says nothing of a log. It is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unusable {
    /// The signature is wrong.
    #[error("its head is not signed with its key")]
    Signature,
    /// The head is of another node or of no cluster yet.
    #[error("its head is of another node or cluster")]
    Unrelated,
}

/// What is known of `node`'s log now, in the cluster of this id. An alarm stays.
///
/// # Errors
///
/// The answer says nothing.
pub fn judge(
    (cluster, node): (Uuid, NodeId),
    known: Option<&Seen>,
    answer: Answer,
    at: UnixMillis,
) -> Result<Seen, Unusable> {
    let Answer { head, key, proof } = answer;
    if (head.head.cluster, head.head.node) != (cluster, node) {
        return Err(Unusable::Unrelated);
    }
    if !is_signed(&key, &head) {
        return Err(Unusable::Signature);
    }
    let Some(known) = known else { return Ok(Seen { key, head, alarm: None }) };
    let Some(why) = rewritten(known, &head.head, &key, proof.as_deref()) else {
        return Ok(Seen { head, ..known.clone() });
    };
    let alarm = known.alarm.clone().unwrap_or(Alarm { why, head, key, at });
    Ok(Seen { alarm: Some(alarm), ..known.clone() })
}

fn rewritten(
    known: &Seen,
    head: &Head,
    key: &PublicKey,
    proof: Option<&[Hash]>,
) -> Option<Rewritten> {
    if *key != known.key {
        return Some(Rewritten::Key);
    }
    let old = &known.head.head;
    if head.size < old.size {
        return Some(Rewritten::Shorter);
    }
    // A node of another cluster is none that is asked; what was seen of it was seen in this one.
    match fork(old, head, proof.unwrap_or_default()) {
        Ok(Fork::No) => None,
        Ok(Fork::Rewritten | Fork::Unrelated) => Some(Rewritten::Entries),
        Err(_no_proof) => Some(Rewritten::NoProof),
    }
}

/// What a node answers; nothing where it keeps no log or has signed no head yet. Waits for the disk.
///
/// # Errors
///
/// The log cannot be read, or how it goes on not be proven.
pub fn answer(node: &Node, question: Question) -> Result<Option<Answer>, Unproven> {
    let Some((head, key)) = node.audit().head() else { return Ok(None) };
    let size = head.head.size;
    let snapshot = node.store().snapshot();
    let log = Log::open(&*snapshot, &node.settings().data_dir)?;
    let since = question.since.filter(|since| *since <= size);
    let proof = since.map(|since| log.consistency(since, size)).transpose()?.flatten();
    Ok(Some(Answer { head, key, proof }))
}

/// Asks the others as long as the node runs.
pub async fn run(node: Arc<Node>, links: Arc<Links>, membership: Membership) {
    if !node.audit().is_on() {
        return;
    }
    let mut ticks = tokio::time::interval(node.settings().sync_interval.into());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while node.stopping().run_until_cancelled(ticks.tick()).await.is_some() {
        let view = membership.view();
        let reached = view.members.iter().filter(|seen| seen.state != State::Down);
        let reached: Vec<NodeId> = reached.map(|seen| seen.member.node).collect();
        let asking = Box::pin(ask_all(&node, &links, reached));
        if node.stopping().run_until_cancelled(asking).await.is_none() {
            return;
        }
    }
}

/// Asks all of these, and keeps what is new.
async fn ask_all(node: &Arc<Node>, links: &Links, peers: Vec<NodeId>) {
    let known = node.audit().peers();
    let (mut news, mut asked) = (BTreeMap::new(), BTreeMap::new());
    for peer in peers {
        let known = known.get(&peer);
        let seen = see(node, links, peer, known).await;
        if known.is_some() {
            asked.insert(peer, seen.is_some());
        }
        news.extend(seen.filter(|seen| Some(seen) != known).map(|seen| (peer, seen)));
    }
    for peer in node.audit().note_shown(&asked, node.now()) {
        tracing::warn!(%peer, "a node does not show its audit log any more");
    }
    for (peer, seen) in &news {
        let before = known.get(peer).is_some_and(|known| known.alarm.is_some());
        if let Some(alarm) = seen.alarm.as_ref().filter(|_| !before) {
            let (size, why) = (seen.head.head.size, alarm.why);
            tracing::error!(%peer, size, %why, "a node rewrote its audit log");
            node.audit().record(Notice::done(Event::PeerRewrote(*peer), Subject::Node));
        }
    }
    keep(node, news).await;
}

/// What is known of a peer's log now; nothing if it does not show it.
async fn see(node: &Node, links: &Links, peer: NodeId, known: Option<&Seen>) -> Option<Seen> {
    let answer = ask(links, peer, known).await?;
    let judged = judge((cluster_of(node), peer), known, answer, node.now());
    judged.inspect_err(|why| tracing::debug!(%peer, %why, "a peer's head is of no use")).ok()
}

/// What a peer answers; nothing if it does not. One that keeps no log is none that rewrote it.
async fn ask(links: &Links, peer: NodeId, known: Option<&Seen>) -> Option<Answer> {
    let since = known.map(|known| known.head.head.size);
    // A struct of a number always serializes.
    let question = Bytes::from(serde_json::to_vec(&Question { since }).unwrap_or_default());
    let answer = links.audit(peer, question).await;
    let answer = answer.inspect_err(|error| {
        tracing::debug!(%peer, %error, "a peer does not show the head of its audit log");
    });
    serde_json::from_slice(&answer.ok()?).ok()
}

async fn keep(node: &Arc<Node>, news: BTreeMap<NodeId, Seen>) {
    if news.is_empty() {
        return;
    }
    let keeping = node.clone();
    let kept = tokio::task::spawn_blocking(move || keeping.audit().keep_seen(news)).await;
    if let Ok(Err(error)) = kept {
        tracing::warn!(%error, "heads of other nodes' logs were not kept; they are asked again");
    }
}
