//! Attempts to get more than one was given: each by its name, each refused.

mod doors;
mod giving;
mod keys;
mod replicas;

use std::time::Duration;

use kvs_core::audit::{Entry, Event, Outcome};
use serde_json::json;

use crate::harness::{Answered, Guarded};

/// Attempts that are no denials: what they ask for cannot be, or is not there for anybody.
const NO_DENIALS: [&str; 3] = [
    "a limited reader climbs up",
    "a limited reader hides a slash",
    "a revision of one key is restored to another",
];

/// The attempts of one test.
#[derive(Default)]
struct Attempts {
    names: Vec<&'static str>,
    /// Entries of the tamper-evident log that were looked at.
    looked: usize,
}

impl Attempts {
    /// Checks that an attempt was refused so, and that the log has it.
    async fn refused(
        &mut self,
        node: &Guarded,
        name: &'static str,
        answer: &Answered,
        status: u16,
        kind: &str,
    ) {
        let found = (answer.status.as_u16(), answer.kind());
        assert_eq!(found, (status, kind.to_owned()), "{name}: {}", answer.text());
        assert!(!self.names.contains(&name), "{name} was tried already");
        self.names.push(name);
        let entries = node.entries().await;
        // What came from elsewhere is applied, and then does nothing: that it came is in the log.
        let tells = |entry: &Entry| {
            entry.outcome != Outcome::Done || matches!(entry.event, Event::AccountApplied(_))
        };
        let told = entries[self.looked..].iter().any(tells);
        assert!(told || NO_DENIALS.contains(&name), "{name}: is in no entry");
        self.looked = entries.len();
        // Many denials of one second are summed.
        node.advance(Duration::from_secs(1));
    }

    fn at_least(&self, count: usize) {
        assert!(self.names.len() >= count, "only {} attempts", self.names.len());
    }
}

fn token_for(user: Option<&str>, scopes: &[&str]) -> String {
    json!({ "user": user, "scopes": scopes }).to_string()
}
