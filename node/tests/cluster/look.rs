//! Looking at nodes: what they hold, and how they see their cluster.

use std::time::Duration;

use kvs_client::{BatchItem, ClientError, ClusterStatus, Stored, Value};
use serde_json::value::RawValue;

use crate::process::Process;
use crate::wait;

impl Process {
    /// What it answers at a path; nothing if it does not answer, or refuses.
    pub(crate) async fn ask(&self, path: &str) -> Option<Vec<u8>> {
        let answer = reqwest::get(format!("{}{path}", self.url())).await.ok()?;
        let answer = answer.error_for_status().ok()?;
        answer.bytes().await.ok().map(Vec::from)
    }

    /// Its cluster as it sees it, once it is in one.
    pub(crate) async fn cluster(&self) -> Option<ClusterStatus> {
        serde_json::from_slice(&self.ask("/cluster").await?).unwrap()
    }

    /// Waits until its cluster is as wanted.
    pub(crate) async fn sees(
        &self,
        what: &str,
        such: impl Fn(&ClusterStatus) -> bool,
    ) -> ClusterStatus {
        let what = format!("{} sees {what}", self.address());
        wait::until(&what, async || self.cluster().await.filter(&such)).await.0
    }

    /// Waits until it serves; says how long that took.
    pub(crate) async fn serves(&self) -> Duration {
        let what = format!("{} serves", self.address());
        let serving = async || self.client().readyz().await.ok()?.then_some(());
        wait::until(&what, serving).await.1
    }

    /// Writes JSON.
    ///
    /// # Panics
    ///
    /// It was not acknowledged.
    pub(crate) async fn put(&self, key: &str, json: &str) {
        self.client().put(key, self::json(json)).await.unwrap();
    }

    /// Deletes what is there.
    ///
    /// # Panics
    ///
    /// It was not acknowledged.
    pub(crate) async fn delete(&self, key: &str) {
        self.client().delete(key).await.unwrap();
    }

    /// What it holds; nothing if the key was deleted or never written.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub(crate) async fn get(&self, key: &str) -> Option<Stored> {
        match self.client().get(key).await {
            Ok(stored) => Some(stored),
            Err(error) if error.status() == Some(404) => None,
            Err(error) => panic!("{key}: {error:?}"),
        }
    }

    /// The same as text.
    pub(crate) async fn text(&self, key: &str) -> Option<String> {
        let stored = self.get(key).await?;
        Some(String::from_utf8(stored.value.as_bytes().to_vec()).unwrap())
    }

    /// Waits until it holds this text; says how long that took.
    pub(crate) async fn shows(&self, key: &str, text: &str) -> Duration {
        let what = format!("{} shows {key}", self.address());
        wait::until(&what, async || (self.text(key).await? == text).then_some(())).await.1
    }

    /// Waits until it holds nothing there.
    pub(crate) async fn lacks(&self, key: &str) {
        let what = format!("{} lacks {key}", self.address());
        wait::until(&what, async || self.get(key).await.is_none().then_some(())).await;
    }
}

/// Writes many keys at once.
pub(crate) async fn fill(
    node: &Process,
    folder: &str,
    count: usize,
    text: impl Fn(usize) -> String,
) {
    let item = |at: usize| BatchItem::put(format!("{folder}/{at:06}"), json(&text(at)));
    let items: Vec<BatchItem> = (0..count).map(item).collect();
    for items in items.chunks(200) {
        for result in node.client().batch(items.to_vec()).await.unwrap() {
            assert!(result.status < 300, "{result:?}");
        }
    }
}

/// A value of JSON.
pub(crate) fn json(text: &str) -> Value {
    Value::Json(RawValue::from_string(text.to_owned()).unwrap())
}

/// Waits until all of them serve.
pub(crate) async fn all_serve(nodes: &[&Process]) {
    for node in nodes {
        node.serves().await;
    }
}

/// Waits until all of them are one cluster in which everybody follows everybody.
pub(crate) async fn all_meet(nodes: &[&Process]) {
    all_serve(nodes).await;
    let others = nodes.len() - 1;
    for node in nodes {
        let open = |status: &ClusterStatus| {
            let open = status.peers.iter().filter(|peer| peer.reachable && peer.stream == "open");
            open.count() >= others
        };
        node.sees("the others", open).await;
    }
}

/// Waits until all of them hold the same; answers the root that says so.
pub(crate) async fn all_agree(nodes: &[&Process]) -> String {
    let what = "all roots are equal";
    let equal = async || {
        let mut roots = Vec::new();
        for node in nodes {
            let status = node.cluster().await?;
            if status.life != "serving" {
                return None;
            }
            roots.push(status.root?);
        }
        roots.dedup();
        (roots.len() == 1).then(|| roots.remove(0))
    };
    wait::until(what, equal).await.0
}

/// The type of a problem that a node answered, without its address; nothing for anything else.
pub(crate) fn problem(result: Result<impl Sized, ClientError>) -> Option<(u16, String)> {
    let error = result.err()?;
    let problem = error.problem()?;
    let kind = problem.kind.rsplit(':').next().unwrap_or_default().to_owned();
    Some((problem.status, kind))
}
