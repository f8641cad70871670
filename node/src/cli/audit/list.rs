//! `kvs audit list` and `head`.

use clap::Args;
use kvs_client::{AuditEntry, AuditHead, AuditOptions};

use crate::cli::output::{self, Table};
use crate::cli::remote::Remote;
use crate::cli::{Done, time};
use crate::config::Environment;

/// Entries that are asked for at once.
const PAGE: usize = 1000;

/// List entries of the log, oldest first.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only entries about this key
    #[arg(long)]
    key: Option<String>,

    /// The first entry
    #[arg(long, value_name = "SEQUENCE")]
    from: Option<u64>,

    /// How many at most [default: all]
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,

    #[command(flatten)]
    remote: Remote,
}

/// Show what the node signed, and what it keeps of the logs of others.
#[derive(Debug, Args)]
pub(super) struct Head {
    #[command(flatten)]
    remote: Remote,
}

impl List {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let client = self.remote.client(environment)?;
        let (mut left, mut from) = (self.limit.unwrap_or(usize::MAX), self.from);
        let mut table = Table::new(["ENTRY", "TIME", "EVENT", "WHAT", "WHO", "OUTCOME"]);
        while left > 0 {
            let limit = Some(left.min(PAGE));
            let options = AuditOptions { from, limit, key: self.key.clone(), proofs: false };
            let page = client.audit(&options).await?;
            left -= page.entries.len().min(left);
            for entry in page.entries {
                if self.remote.json {
                    output::json(&entry)?;
                } else {
                    table.row(cells(entry));
                }
            }
            if !self.remote.json {
                table.print_page()?;
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        Ok(())
    }
}

fn cells(entry: AuditEntry) -> [String; 6] {
    let uuid = entry.uuid.map(|uuid| uuid.to_string());
    let count = entry.count.map(|count| count.to_string());
    [
        entry.sequence.to_string(),
        time::utc(entry.time),
        entry.event,
        uuid.or(entry.right).or(count).unwrap_or_default(),
        entry.subject,
        entry.outcome,
    ]
}

impl Head {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let head = self.remote.client(environment)?.audit_head(None).await?;
        if self.remote.json { output::json(&head) } else { print(&head) }
    }
}

fn print(head: &AuditHead) -> Done {
    let AuditHead { node, size, root, key, .. } = head;
    output::line(format_args!("node       {node}"))?;
    output::line(format_args!("entries    {size}"))?;
    output::line(format_args!("signed     {}", time::utc(head.time)))?;
    output::line(format_args!("root       {root}"))?;
    output::line(format_args!("key        {key}"))?;
    for peer in &head.peers {
        let (node, size) = (peer.node, peer.size);
        let state = match (&peer.rewritten, peer.silent_since) {
            (Some(why), _) => why.clone(),
            (None, Some(since)) => {
                format!("has not shown how its log goes on since {}", time::utc(since))
            }
            (None, None) => "goes on from what was seen before".into(),
        };
        output::line(format_args!("peer       {node}, {size} entries: {state}"))?;
    }
    Ok(())
}
