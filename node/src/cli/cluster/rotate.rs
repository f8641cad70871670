//! `kvs cluster rotate`: replaces a cluster's secret.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kvs_client::ClusterFile;
use kvs_client::cluster_file::RingError;
use serde_json::json;

use crate::cli::Done;
use crate::cli::output::{self, Table};

/// Replace a cluster's secret in three steps, without an outage.
///
/// Each step changes the file. Before the next one, every node of the cluster must have the file as
/// it is then: nodes that are one step apart understand each other, and no more.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  kvs cluster rotate cluster.kvs add            then give the file to every node
  kvs cluster rotate cluster.kvs promote 2      then again
  kvs cluster rotate cluster.kvs drop 2         then again, and the old secret is worth nothing")]
pub(super) struct Rotate {
    /// The cluster file
    file: PathBuf,

    #[command(subcommand)]
    step: Step,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Step {
    /// Add a new secret, which every node then understands
    Add,
    /// Make a secret the first, which every node then uses
    Promote {
        /// Its number, as `list` shows it
        number: usize,
    },
    /// Drop a secret that is not in use any more
    Drop {
        /// Its number, as `list` shows it
        number: usize,
    },
    /// Show the secrets by their fingerprints, which say nothing about them
    List {
        /// Print JSON, one object a line
        #[arg(long)]
        json: bool,
    },
}

impl Rotate {
    pub(super) fn run(self) -> Done {
        let mut file = ClusterFile::load(&self.file)?;
        let next = match self.step {
            Step::List { json: true } => return print_json(&file),
            Step::List { json: false } => return print(&file),
            Step::Add => {
                file.add_secret(rand::random())?;
                Some(format!("promote {}", file.secrets().len()))
            }
            Step::Promote { number } => {
                file.promote(place(&file, number)?)?;
                Some("drop 2".to_owned())
            }
            Step::Drop { number } => {
                file.drop_secret(place(&file, number)?)?;
                None
            }
        };
        file.save(&self.file)?;
        print(&file)?;
        self.say_next(next)
    }

    /// Says what comes once the change is everywhere.
    fn say_next(&self, step: Option<String>) -> Done {
        let path = self.file.display();
        let then = match step {
            Some(step) => format!("Then: kvs cluster rotate {path} {step}"),
            None => "Then the dropped secret is worth nothing.".to_owned(),
        };
        output::line(format_args!("Give {path} to every node of the cluster. {then}"))
    }
}

/// People count from 1.
fn place(file: &ClusterFile, number: usize) -> Result<usize, RingError> {
    number.checked_sub(1).ok_or(RingError::Absent { number, count: file.secrets().len() })
}

/// Each secret's number, fingerprint, and whether it is in use.
fn rows(file: &ClusterFile) -> impl Iterator<Item = (usize, String, bool)> {
    let row = |at| {
        let fingerprint = u32::from_be_bytes(file.fingerprint(at)?);
        Some((at + 1, format!("{fingerprint:08x}"), at == 0))
    };
    (0..file.secrets().len()).filter_map(row)
}

fn print(file: &ClusterFile) -> Done {
    let mut table = Table::new(["NUMBER", "FINGERPRINT", "USE"]);
    for (number, fingerprint, first) in rows(file) {
        let used = if first { "used and understood" } else { "understood" };
        table.row([number.to_string(), fingerprint, used.to_owned()]);
    }
    table.print()
}

fn print_json(file: &ClusterFile) -> Done {
    rows(file).try_for_each(|(number, fingerprint, used)| {
        output::json(&json!({ "number": number, "fingerprint": fingerprint, "used": used }))
    })
}
