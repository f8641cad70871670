//! What driver and agent say to each other.

use serde::{Deserialize, Serialize};

/// What load to put on a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Where clients reach it.
    pub(crate) url: String,
    /// What keys begin with.
    pub(crate) prefix: String,
    /// Writes a second, in all.
    pub(crate) writes: u32,
    /// Reads a second, in all.
    pub(crate) reads: u32,
    /// Who asks, where that is asked.
    #[serde(default)]
    pub(crate) token: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What was ordered: writes a second, and reads.
    pub(crate) ordered: [u32; 2],
    /// How long it ran.
    pub(crate) seconds: f64,
    /// Writes that were acknowledged.
    pub(crate) written: u64,
    /// Reads that were answered.
    pub(crate) read: u64,
    /// Requests that were not answered as they should.
    pub(crate) failed: u64,
    /// The first of them, in words.
    pub(crate) failures: Vec<String>,
    /// The longest time to an answer, in milliseconds.
    pub(crate) longest: u64,
}

/// Where to look for what was acknowledged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Check {
    /// The nodes, one by one.
    pub(crate) at: Vec<String>,
    #[serde(default)]
    pub(crate) token: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Checked {
    /// Keys with an acknowledged write.
    pub(crate) keys: u64,
    /// Of all looks, those that did not find it, or anything later; and nodes that have something else than the
    /// first one.
    pub(crate) wrong: u64,
    /// Of all keys with their versions and values, as the first node has them.
    pub(crate) digest: String,
    /// The first of them, in words.
    pub(crate) examples: Vec<String>,
}

/// One request of the driver's, made from within the cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) method: String,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) token: Option<String>,
    /// A file of the agent's that holds it.
    #[serde(default)]
    pub(crate) token_file: Option<String>,
}

/// Its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// 0 if there was none.
    pub(crate) status: u16,
    pub(crate) body: String,
}
