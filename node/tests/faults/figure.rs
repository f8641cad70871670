//! What a trial showed, for people and for `scripts/evidence`.

use std::fs;

use serde_json::{Value, json};

use crate::ledger::Lost;
use crate::seed::Seed;

/// Sums over all rounds.
#[derive(Debug)]
pub(crate) struct Figure {
    seed: Seed,
    pub(crate) rounds: u64,
    pub(crate) acknowledged: u64,
    lost: Lost,
}

impl Figure {
    pub(crate) fn of(seed: Seed) -> Self {
        Self { seed, rounds: 0, acknowledged: 0, lost: Lost::default() }
    }

    pub(crate) fn note(&mut self, lost: Lost) {
        self.lost.add(lost);
    }

    /// Prints it, and adds it under `name` to the file named by `KVS_FIGURE`.
    pub(crate) fn tell(&self, name: &str) {
        let figure = json!({
            "seed": self.seed.0.to_string(),
            "rounds": self.rounds,
            "writes_acknowledged": self.acknowledged,
            "writes_lost_within_the_window": self.lost.writes,
            "oldest_lost_ms": u64::try_from(self.lost.oldest.as_millis()).unwrap(),
        });
        println!("{name}: {figure}");
        let Some(path) = std::env::var_os("KVS_FIGURE") else { return };
        let mut whole: Value = fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or(json!({}));
        whole[name] = figure;
        fs::write(path, whole.to_string()).unwrap();
    }
}
