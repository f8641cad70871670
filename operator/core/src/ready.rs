//! The one condition of the kinds beside `KvsCluster`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kvs_core::UnixMillis;

use crate::status::time;

/// Whether all is well, why in a word, and why in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whether it is.
    pub well: bool,
    /// Why, in a word that never changes its meaning.
    pub reason: &'static str,
    /// Why, for people; empty where there is nothing to say.
    pub message: String,
}

impl Judged {
    /// All is well.
    pub const fn well(reason: &'static str) -> Self {
        Self { well: true, reason, message: String::new() }
    }

    /// Something is not, and this is what.
    pub fn ill(reason: &'static str, message: impl Into<String>) -> Self {
        Self { well: false, reason, message: message.into() }
    }

    /// As a condition. Its time is that of its last change.
    pub fn condition(
        &self,
        before: &[Condition],
        generation: Option<i64>,
        now: UnixMillis,
    ) -> Condition {
        let holds = if self.well { "True" } else { "False" };
        let same = |was: &&Condition| was.type_ == READY && was.status == holds;
        let since = before.iter().find(same).map(|was| was.last_transition_time.clone());
        Condition {
            last_transition_time: since.unwrap_or_else(|| time(now)),
            message: self.message.clone(),
            observed_generation: generation,
            reason: self.reason.to_owned(),
            status: holds.to_owned(),
            type_: READY.to_owned(),
        }
    }

    /// What is shown beside it.
    pub fn shown(&self) -> Option<String> {
        Some(self.message.clone()).filter(|message| !message.is_empty())
    }
}

/// The condition's name.
const READY: &str = "Ready";
