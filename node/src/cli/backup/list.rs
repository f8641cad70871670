//! `kvs backup list`, `delete` and `status`.

use clap::Args;
use kvs_client::{Backup, BackupStatus};

use crate::cli::output::{self, Table};
use crate::cli::remote::Remote;
use crate::cli::{Done, time};
use crate::config::Environment;

/// List the backups that are where the node keeps its own.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    remote: Remote,
}

/// Delete a backup.
#[derive(Debug, Args)]
pub(super) struct Delete {
    /// Its name
    name: String,

    #[command(flatten)]
    remote: Remote,
}

/// Show when backups are made, and what became of the last ones.
#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    remote: Remote,
}

impl List {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let listed = self.remote.client(environment)?.backups().await?;
        if self.remote.json {
            return listed.backups.iter().try_for_each(output::json);
        }
        if listed.backups.is_empty() {
            return output::line(format_args!("there is no backup in {}", listed.target));
        }
        let mut table = Table::new(["NAME", "MADE", "RECORDS", "BYTES", "STATE"]);
        for backup in listed.backups {
            table.row(cells(backup));
        }
        table.print()
    }
}

fn cells(backup: Backup) -> [String; 5] {
    let number = |number: Option<u64>| number.map_or_else(String::new, |it| it.to_string());
    [
        backup.name,
        backup.created.map_or_else(String::new, time::utc),
        number(backup.records),
        backup.size.to_string(),
        backup.damaged.unwrap_or_else(|| "ok".to_owned()),
    ]
}

impl Delete {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        self.remote.client(environment)?.delete_backup(&self.name).await?;
        if self.remote.json {
            return output::json(&serde_json::json!({ "deleted": self.name }));
        }
        output::line(format_args!("{} is deleted", self.name))
    }
}

impl Status {
    pub(super) async fn run(self, environment: &Environment) -> Done {
        let status = self.remote.client(environment)?.backup_status().await?;
        if self.remote.json { output::json(&status) } else { print(status) }
    }
}

fn print(status: BackupStatus) -> Done {
    let none = || "none".to_owned();
    output::line(format_args!("target    {}", status.target))?;
    let schedule = status.schedule.unwrap_or_else(|| "on demand only".to_owned());
    output::line(format_args!("schedule  {schedule}"))?;
    output::line(format_args!("next      {}", status.next.map_or_else(none, time::utc)))?;
    if let Some(running) = status.running {
        let (name, done, total) = (running.name, running.done, running.total);
        output::line(format_args!("running   {name}, {done} of {total} bytes"))?;
    }
    let last =
        status.last_success.map_or_else(none, |last| format!("{}, {} bytes", last.name, last.size));
    output::line(format_args!("last      {last}"))?;
    match status.last_failure {
        Some(failure) => {
            let at = time::utc(failure.at);
            output::line(format_args!("failed    {at}, {}: {}", failure.name, failure.reason))
        }
        None => Ok(()),
    }
}
