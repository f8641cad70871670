use std::{collections::BTreeMap, path::PathBuf, process::Command};

use serde::{Deserialize, Serialize};

use crate::machine::{date, first_line};

/// The code that a figure depends on.
const COVERED: [&str; 4] = ["Cargo.lock", "bench", "client", "node"];

/// Where figures come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The command that measures the same again.
    pub command: String,
    /// When it was measured.
    pub date: String,
    /// The commit that was checked out.
    pub commit: String,
    /// Whether covered files differed from that commit.
    pub changed: bool,
    /// The hash of each covered file or folder in that commit.
    pub covers: BTreeMap<String, String>,
}

impl Origin {
    /// Of what is measured now by `command`.
    pub fn now(command: &str) -> Self {
        let covers = COVERED.into_iter().filter_map(|path| {
            Some((path.to_owned(), git(&["rev-parse", &format!("HEAD:{path}")])?))
        });
        Self {
            command: command.to_owned(),
            date: date(),
            commit: git(&["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".to_owned()),
            changed: is_changed(),
            covers: covers.collect(),
        }
    }

    /// The commit in short, with a mark if files differed from it.
    pub fn short_commit(&self) -> String {
        let short: String = self.commit.chars().take(12).collect();
        if self.changed { format!("{short} with changes") } else { short }
    }
}

/// The folder of this package. Cargo says where it runs, which counts more than where it was built:
/// clones that share a target folder share what was built, too.
pub(crate) fn bench() -> PathBuf {
    let runs = std::env::var_os("CARGO_MANIFEST_DIR");
    runs.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// The repository of this workspace.
pub(crate) fn repository() -> PathBuf {
    let bench = bench();
    bench.parent().map_or(bench.clone(), PathBuf::from)
}

fn git(arguments: &[&str]) -> Option<String> {
    let repository = repository().display().to_string();
    first_line("git", &[&["-C", &repository], arguments].concat())
}

/// What the benchmark itself writes is not what it measures.
fn is_changed() -> bool {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository()).args(["status", "--porcelain", "--"]);
    command.args(COVERED).arg(":(exclude)bench/results");
    command.output().map_or(true, |output| !output.stdout.is_empty())
}
