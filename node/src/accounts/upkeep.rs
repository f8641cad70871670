//! What goes on by itself: the first accounts, users who were brought back, what has ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kvs_core::account::{Name, Place, Record, SigningKey};
use kvs_core::audit::Subject;
use kvs_core::decide::Condition;
use tokio::time::MissedTickBehavior;

use super::change::{delete, put, write};
use super::{AccountError, Accounts, root};
use crate::node::Node;
use crate::writer::SubmitError;

/// The file in the data directory that holds the first token.
pub const ROOT_TOKEN: &str = "root-token";

/// How often what has ended is forgotten, and looked for what was brought back.
const EVERY: Duration = Duration::from_secs(30);
/// How soon the first accounts are tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Sees to the accounts of a node with authentication until it stops.
pub async fn upkeep(node: Arc<Node>) {
    let stopping = node.stopping().clone();
    if stopping.run_until_cancelled(begin(&node)).await.is_none() {
        return;
    }
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut changes = node.accounts().changes();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => {}
            changed = changes.changed() => if changed.is_err() { return },
        }
        if let Err(error) = tend(&node).await {
            tracing::warn!(%error, "accounts were not seen to; trying again");
        }
    }
}

/// Waits until this node knows what its cluster knows, and makes the first accounts where nobody is.
async fn begin(node: &Arc<Node>) {
    node.catch_up().await;
    loop {
        match first(node).await {
            Ok(()) => break,
            Err(AccountError::Submit(SubmitError::Stopping)) => return,
            Err(error) => tracing::warn!(%error, "the first accounts cannot be made; trying again"),
        }
        tokio::time::sleep(AGAIN).await;
    }
    node.accounts().ready.send_replace(true);
}

async fn first(node: &Arc<Node>) -> Result<(), AccountError> {
    if !root::found(node).await? {
        return Ok(());
    }
    let made = root::token(node).await?;
    let path = node.settings().data_dir.join(ROOT_TOKEN);
    match root::keep(&path, &made.token) {
        Ok(()) => {
            node.accounts().born.store(true, Ordering::Release);
            tracing::info!(path = %path.display(), "the first user was made; its token is there");
        }
        Err(error) => tracing::error!(
            %error, path = %path.display(),
            "the first token cannot be kept: `kvs token create --root` makes another"
        ),
    }
    Ok(())
}

async fn tend(node: &Arc<Node>) -> Result<(), AccountError> {
    let accounts = node.accounts();
    accounts.forget(node);
    let ghosts: Vec<Name> =
        accounts.directory().ghosts(node.now()).map(|user| user.name.clone()).collect();
    let mut writes = Vec::new();
    for name in ghosts {
        writes.push(delete(&Place::User(name))?);
    }
    for key in accounts.to_reseal(node) {
        writes.push(put(&Record::SigningKey(key), Condition::Always, node.now())?);
    }
    if writes.is_empty() { Ok(()) } else { write(node, Subject::Node, writes).await }
}

impl Accounts {
    fn forget(&self, node: &Node) {
        let mut directory =
            self.directory.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        directory.forget(node.now());
    }

    /// Private keys that are sealed with a secret that is not the ring's first any more.
    fn to_reseal(&self, node: &Node) -> Vec<SigningKey> {
        let Some(site) = self.site() else { return Vec::new() };
        let directory = self.directory();
        directory.signing_keys(node.now()).filter_map(|(_, key)| site.resealed(key)).collect()
    }
}
