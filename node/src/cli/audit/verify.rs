//! `kvs audit verify`.

use std::path::{Path, PathBuf};

use clap::Args;
use kvs_client::AuditHead;
use kvs_core::audit::{Head, SignedHead};
use kvs_core::{NodeId, UnixMillis};
use serde_json::json;

use crate::audit::verify::{self, Fault, Kept, Order, Report};
use crate::audit::{bytes_of, from_hex, hex};
use crate::cli::{Done, Failure, output};

/// Verify the log in a data directory or a copy of one, or an archive; no node is needed.
///
/// Walks every entry, compares hashes, order and signatures, and names the first that is not as it
/// was written. The node's own key can sign a log made anew: what others kept of it cannot be, so give
/// it with --heads.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kvs audit verify data
  kvs audit verify data1 --heads data2 --heads data3
  kvs audit verify /evidence/data1 --heads head.json       as of `kvs audit head --json`
  kvs audit verify data/audit/00000000000000000000.kvsaudit --heads head.json")]
pub(super) struct Verify {
    /// A data directory, or an archive of a log
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// What others kept: the data directory of another node, or the output of `kvs audit head --json`
    #[arg(long, value_name = "PATH")]
    heads: Vec<PathBuf>,

    /// Archives are not in the directory: begin with the entries that are in the store
    #[arg(long)]
    without_archives: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::of(&fault)
    }
}

impl Verify {
    pub(super) fn run(self) -> Done {
        let report = self.verify()?;
        if self.json { print_json(&report) } else { print(&report, self.heads.len()) }
    }

    fn verify(&self) -> Result<Report, Failure> {
        let node = verify::owner(&self.path)?;
        let mut kept = Vec::new();
        for path in &self.heads {
            let found = if path.is_dir() { verify::kept_by(path, node)? } else { read(path)? };
            let before = kept.len();
            kept.extend(found.into_iter().filter(|kept| kept.head.head.node == node));
            if kept.len() == before {
                let path = path.display();
                return Err(Failure::new(format!("no head of node {node} is in {path}")));
            }
        }
        let order = Order { kept, without_archives: self.without_archives };
        let is_archive = self.path.is_file();
        let verify = if is_archive { verify::archive } else { verify::directory };
        Ok(verify(&self.path, &order)?)
    }
}

/// The head in a file that `kvs audit head --json` made.
fn read(path: &Path) -> Result<Vec<Kept>, Failure> {
    let wrong = |why: String| Failure::new(format!("{}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let view: AuditHead = serde_json::from_slice(&text)
        .map_err(|error| wrong(format!("not what `kvs audit head --json` prints: {error}")))?;
    let kept = kept(path, &view);
    Ok(vec![kept.ok_or_else(|| wrong("its root, key or signature is malformed".to_owned()))?])
}

fn kept(path: &Path, view: &AuditHead) -> Option<Kept> {
    let head = Head {
        cluster: view.cluster,
        node: NodeId::new(view.node),
        size: view.size,
        root: from_hex(&view.root)?,
        time: UnixMillis(view.time),
    };
    let head = SignedHead { head, signature: bytes_of(&view.signature)? };
    Some(Kept { by: path.display().to_string(), head, key: from_hex(&view.key)? })
}

fn print(report: &Report, given: usize) -> Done {
    let (node, first) = (report.node, report.first);
    let (size, signed) = (report.summary.size, report.summary.signed);
    let count = size - first;
    output::line(format_args!("the log of node {node} is as it was written: {count} entries"))?;
    if first > 0 {
        output::line(format_args!("the first {first} entries are not in it"))?;
    }
    let loose = size.saturating_sub(signed.max(first));
    if loose > 0 {
        output::line(format_args!("the last {loose} entries are under no signed head"))?;
    }
    let elsewhere = given.saturating_sub(report.held);
    if elsewhere > 0 {
        let what = "heads are not over these entries: of them only the key was compared";
        output::line(format_args!("{elsewhere} of the {given} {what}"))?;
    }
    output::line(format_args!("root  {}", hex(&report.summary.root)))?;
    match &report.key {
        Some(key) => output::line(format_args!("key   {}", hex(key))),
        None => Ok(()),
    }
}

fn print_json(report: &Report) -> Done {
    output::json(&json!({
        "node": report.node,
        "first": report.first,
        "size": report.summary.size,
        "signed": report.summary.signed,
        "heads": report.held,
        "root": hex(&report.summary.root),
        "key": report.key.as_ref().map(|key| hex(key)),
    }))
}
