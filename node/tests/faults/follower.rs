//! A reader of `_changes` that goes on after the node came back.

use std::collections::HashMap;

use kvs_client::{ChangeOp, ChangesOptions, Client, ClientError, PageOptions};
use tokio::sync::watch;
use uuid::Uuid;

/// What a follower knows: the last change that it was told of each key.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    cursor: Option<String>,
    versions: HashMap<String, Uuid>,
}

impl Follower {
    /// Follows for as long as the node answers.
    pub(crate) async fn follow(mut self, client: Client, mut more: watch::Receiver<u64>) -> Self {
        loop {
            match self.catch_up(&client).await {
                Ok(()) => more.changed().await.expect("the ledger outlives its readers"),
                Err(ClientError::Connect { .. } | ClientError::Interrupted { .. }) => return self,
                Err(error) => panic!("changes cannot be followed: {error}"),
            }
        }
    }

    /// Reads what changed up to now.
    pub(crate) async fn catch_up(&mut self, client: &Client) -> Result<(), ClientError> {
        loop {
            let page = PageOptions { limit: None, after: self.cursor.clone() };
            let page = client.changes("", &ChangesOptions { page, ..Default::default() }).await?;
            for change in page.items {
                match change.op {
                    ChangeOp::Put => self.versions.insert(change.key, change.uuid),
                    _ => self.versions.remove(&change.key),
                };
                self.cursor = Some(change.cursor);
            }
            match page.next {
                Some(next) => self.cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Compares what it knows with what the node holds.
    pub(crate) fn check(&self, key: &str, found: Option<Uuid>) -> Result<(), String> {
        let known = self.versions.get(key).copied();
        if known == found {
            return Ok(());
        }
        Err(format!("{key}: a follower knows version {known:?}, the node has {found:?}"))
    }
}
