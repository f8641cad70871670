use serde::{Deserialize, Serialize};

use crate::{
    number::{bytes, grouped, latency},
    stats::Spread,
};

/// A figure that is no throughput of one server, in all rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What it is, in words.
    pub name: String,
    /// In what.
    pub unit: Unit,
    /// Its value in each round.
    pub rounds: Vec<f64>,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A duration of requests.
    Microseconds,
    /// A duration that people wait.
    Seconds,
    /// Bytes.
    Bytes,
    /// So many a second.
    PerSecond,
    /// A quotient.
    Times,
}

impl Reading {
    /// Over all rounds.
    pub fn spread(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().copied())
    }
}

impl Unit {
    /// A figure with its unit.
    pub fn in_words(self, figure: f64) -> String {
        match self {
            Self::Microseconds => latency(figure),
            Self::Seconds => format!("{figure:.2} s"),
            Self::Bytes if figure >= 10_000_000.0 => bytes(figure),
            Self::Bytes => format!("{} B", grouped(figure)),
            Self::PerSecond => format!("{}/s", grouped(figure)),
            Self::Times => format!("{figure:.2} ×"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_exact_as_long_as_people_compare_them() {
        assert_eq!(Unit::Bytes.in_words(1_234.0), "1,234 B");
        assert_eq!(Unit::Bytes.in_words(9_999_999.0), "9,999,999 B");
        assert_eq!(Unit::Bytes.in_words(20_971_520.0), "20 MiB");
    }
}
